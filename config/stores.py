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


class MemoryStore(Section):
    """A collection in this process's memory, gone when it ends; for trials and tests."""

    kind: Literal["memory"] = Field(description="In memory.")
    collection: Name | None = Field(default=None, description="Default: the pipeline's name.")


Store = Annotated[QdrantStore | MemoryStore, Field(discriminator="kind")]
