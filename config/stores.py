"""Vector databases."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import Location, Name, Section


class QdrantStore(Section):
    """Qdrant's engine, embedded in this process."""

    kind: Literal["qdrant"] = Field(description="Qdrant.")
    path: Location = Field(
        default="./.headrace/qdrant", validate_default=True, description="Folder of the embedded database."
    )
    collection: Name | None = Field(default=None, description="Default: the pipeline's name.")


class PgvectorStore(Section):
    """A table of PostgreSQL, with the extension pgvector."""

    kind: Literal["pgvector"] = Field(description="PostgreSQL with pgvector 0.8 or newer.")
    url: str = Field(description="Address, such as postgresql://user:${PASSWORD}@host:5432/database.")
    schema_name: Name = Field(default="headrace", description="PostgreSQL's schema for the table.")
    collection: Name | None = Field(default=None, description="Default: the pipeline's name.")


class MemoryStore(Section):
    """A collection in this process's memory, gone when it ends; for trials and tests."""

    kind: Literal["memory"] = Field(description="In memory.")
    collection: Name | None = Field(default=None, description="Default: the pipeline's name.")


Store = Annotated[QdrantStore | PgvectorStore | MemoryStore, Field(discriminator="kind")]
