"""Vector databases."""

from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from config.fields import FieldName, FieldType, Location, Name, Precision, Section, WebAddress

FilterFields = Annotated[
    dict[FieldName, FieldType],
    Field(
        default_factory=dict,
        description="Metadata that searches filter by often, and its type: a server makes an index for each. Other"
        " fields can be filtered by as well, and Qdrant's embedded engine compares every record anyway.",
    ),
]
TenantField = Annotated[
    FieldName | None,
    Field(description="Metadata that nearly every search filters by: a server keeps equal ones together."),
]
Halves = Annotated[
    Literal["float32", "float16"],
    Field(
        default="float32", description="What is kept of a vector's numbers; float16 takes half the room. Part of no id."
    ),
]


class StoreSection(Section):
    """What every store's section has."""

    collection: Name | None = Field(default=None, description="Default: the pipeline's name.")
    keep_generations: int = Field(
        default=1, ge=1, description="So many earlier generations stay after a switch, for a rollback."
    )
    keep_days: float | None = Field(
        default=None, ge=0, description="Earlier generations are dropped after so many days, but for the one before."
    )
    shared: bool = Field(
        default=False,
        description="Several pipelines keep their records in this collection; each sees and changes its own alone.",
    )

    @property
    def kept_as(self) -> Precision:
        """The precision of stored vectors, also where it is no setting."""
        precision: Precision = getattr(self, "precision", "float32")
        return precision

    def as_generation(self, number: int, collection: str) -> Self:
        """Where a later generation lies."""
        del number
        return self.model_copy(update={"collection": collection})


class QdrantStore(StoreSection):
    """Qdrant's engine, embedded in this process; with `url`, a Qdrant server."""

    kind: Literal["qdrant"] = Field(description="Qdrant.")
    path: Location = Field(
        default="./.headrace/qdrant", validate_default=True, description="Folder of the embedded database."
    )
    url: WebAddress | None = Field(
        default=None, description="Address of a server in place of the folder, such as http://host:6333."
    )
    api_key: SecretStr | None = Field(default=None, description="The server's key, where it wants one.")
    filter_fields: FilterFields
    precision: Precision = Field(
        default="float32",
        description="What is kept of a vector's numbers: float16 takes half the room. A server can keep int8 (a quarter"
        " of it) or binary (a thirty-second, for long vectors) in memory, and compares the nearest with whole ones.",
    )
    tenant_field: TenantField = None

    @model_validator(mode="after")
    def _is_one_place(self) -> "QdrantStore":
        if self.url is not None and "path" in self.model_fields_set:
            raise ValueError("`path` is an embedded database and `url` a server; expected one of the two")
        if self.url is None and self.api_key is not None:
            raise ValueError("`api_key` is a server's; expected `url` beside it")
        if self.url is None and self.precision in ("int8", "binary"):
            raise ValueError(
                f"`precision` {self.precision} is a server's; expected float32, float16, or `url` beside it"
            )
        if self.tenant_field and self.filter_fields.get(self.tenant_field, "keyword") != "keyword":
            raise ValueError(f"`tenant_field` {self.tenant_field} is a keyword; filter_fields calls it something else")
        return self


class PgvectorStore(StoreSection):
    """A table of PostgreSQL, with the extension pgvector."""

    kind: Literal["pgvector"] = Field(description="PostgreSQL with pgvector 0.8 or newer.")
    url: str = Field(description="Address, such as postgresql://user:${PASSWORD}@host:5432/database.")
    schema_name: Name = Field(default="headrace", description="PostgreSQL's schema for the table.")
    filter_fields: FilterFields
    precision: Halves
    tenant_field: TenantField = None


class ChromaStore(StoreSection):
    """A Chroma server, Chroma Cloud, or a private server over a folder, which is started and ended with a run."""

    kind: Literal["chroma"] = Field(description="Chroma.")
    path: Location = Field(
        default="./.headrace/chroma", validate_default=True, description="Folder of the database; where no url is set."
    )
    url: WebAddress | None = Field(default=None, description="A server, or https://api.trychroma.com for Chroma Cloud.")
    token: SecretStr | None = Field(default=None, description="For Chroma Cloud, or for a proxy before your server.")
    tenant: str = Field(default="default_tenant", min_length=1, description="Of the server.")
    database: str = Field(default="default_database", min_length=1, description="Of the tenant.")

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        """A folder has neither tenants nor tokens."""
        if self.url is None and self.model_fields_set & {"token", "tenant", "database"}:
            raise ValueError("token, tenant and database are for a server; set its url, or leave them out")
        if self.url is not None and "path" in self.model_fields_set:
            raise ValueError("path and url are two places; expected one of them")
        return self


class PineconeStore(StoreSection):
    """A namespace of a serverless index of Pinecone."""

    kind: Literal["pinecone"] = Field(description="Pinecone, a paid service.")
    index: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$",
        description="The index; made where it is missing. Its collections share one dimension.",
    )
    api_key: SecretStr | None = Field(default=None, description="Default: the environment variable PINECONE_API_KEY.")
    cloud: Literal["aws", "gcp", "azure"] = Field(default="aws", description="Where a missing index is made.")
    region: str = Field(default="us-east-1", description="The cloud's region for a missing index.")
    host: WebAddress | None = Field(default=None, description="Another control plane, such as a test server.")
    collection: Name | None = Field(default=None, description="The namespace. Default: the pipeline's name.")
    _first: "PineconeStore | None" = PrivateAttr(default=None)

    @property
    def first(self) -> "PineconeStore":
        """Section of the first generation: its index says which one is live."""
        return self._first or self

    def as_generation(self, number: int, collection: str) -> Self:
        """An index of its own, for all collections of one have the same dimension."""
        made = self.model_copy(update={"index": f"{self.index}-{number}", "collection": collection})
        made._first = self
        return made


class LanceStore(StoreSection):
    """A table of LanceDB, in a folder or in a bucket; its engine runs in this process."""

    kind: Literal["lancedb"] = Field(description="LanceDB.")
    path: Location = Field(
        default="./.headrace/lancedb",
        validate_default=True,
        description="Folder of the database, or an address in a bucket (s3://, gs://, az://), whose keys are taken from"
        " the environment.",
    )
    collection: Name | None = Field(default=None, description="The table. Default: the pipeline's name.")
    precision: Halves

    @model_validator(mode="after")
    def _is_folder_or_bucket(self) -> Self:
        if "://" in self.path and not self.path.startswith(("s3://", "gs://", "az://")):
            raise ValueError(f"{self.path!r}: expected a folder, or an address that begins with s3://, gs:// or az://")
        return self


class MemoryStore(StoreSection):
    """A collection in this process's memory, gone when it ends; for trials and tests."""

    kind: Literal["memory"] = Field(description="In memory.")


Store = Annotated[
    QdrantStore | PgvectorStore | ChromaStore | PineconeStore | LanceStore | MemoryStore, Field(discriminator="kind")
]
