"""Every setting, on one page. Unions are told apart by `kind`; unknown keys are errors."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    model_validator,
)

# One for each suffix in tasks/load/parse/formats.py: a test holds the two equal, for nothing is imported here.
TEXT_PATTERNS = (
    "**/*.md **/*.markdown **/*.txt **/*.text **/*.rst **/*.html **/*.htm **/*.pdf **/*.docx **/*.py **/*.js **/*.ts "
    "**/*.jsx **/*.tsx **/*.java **/*.go **/*.rs **/*.c **/*.h **/*.cpp **/*.hpp **/*.cs **/*.rb **/*.php "
    "**/*.swift **/*.kt **/*.scala **/*.sh **/*.sql"
)

MOST_DIMENSIONS = 65_536  # no vector database here takes more


def _beside_file(location: str, info: ValidationInfo) -> str:
    """Make a local path absolute, relative to the configuration file's folder; leave URLs alone."""
    if "://" in location:
        return location
    return str((_folder(info) / Path(location).expanduser()).absolute())


def _database_url(url: str, info: ValidationInfo) -> str:
    """Make the path of a SQLite URL absolute; `sqlite://` alone is a database in memory."""
    if not url.startswith("sqlite:///"):
        return url
    return "sqlite:///" + _beside_file(url.removeprefix("sqlite:///"), info)


def _web_address(url: str) -> str:
    """Without a scheme the provider's library tries for a minute, and then blames the network."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is no web address; expected one such as https://host:8080/v1")
    return url


def _folder(info: ValidationInfo) -> Path:
    context: dict[str, Any] = info.context or {}
    return Path(context.get("folder", "."))


Location = Annotated[str, AfterValidator(_beside_file)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilesSource(_Section):
    """A folder, a single file, or an fsspec URL."""

    kind: Literal["files"] = Field(default="files", description="Documents are files.")
    path: Location = Field(
        description="Folder, file or fsspec URL (s3://, gs://, az://, https://, memory://). Of a web server: the files"
        " to which a folder's page links, and those of the folders below it; links inside the files are not followed."
    )
    name: str = Field(
        default="", pattern=r"^[^:]*$", description="First part of the document ids. Default: the path as written."
    )
    include: tuple[str, ...] = Field(
        default=tuple(TEXT_PATTERNS.split()), description="Glob patterns, relative to the path; ** crosses folders."
    )
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns that win over include.")
    canary: str | None = Field(
        default=None, description="Path of a document that is always there; without it the listing is not believed."
    )
    max_bytes: int = Field(default=50_000_000, gt=0, description="Larger files are set aside, not read.")
    private_network: bool = Field(
        default=False, description="Allow http(s) addresses that are not public, and other ports."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_after_path(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("name") and isinstance(given.get("path"), str):
            written = re.sub(r"^(\./)+|/+$", "", given["path"])
            return {**given, "name": re.sub(r"[^\w./-]+", "-", written).strip("-") or "files"}
        return given


class Chunking(_Section):
    """How documents are cut. Sizes are tokens of the embedder's own tokenizer."""

    kind: Literal["auto"] = Field(
        default="auto", description="Structure-aware by format: headings, definitions, paragraphs."
    )
    max_tokens: int = Field(default=256, ge=16, description="No chunk is longer; the model's own limit wins.")
    overlap_tokens: int = Field(
        default=0, ge=0, description="Tokens repeated from the chunk before, inside one section."
    )

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> Self:
        if self.overlap_tokens > self.max_tokens // 2:
            raise ValueError(f"overlap_tokens is {self.overlap_tokens}, at most half of max_tokens is useful")
        return self


class SentenceTransformersEmbedder(_Section):
    """A model that runs here, through sentence-transformers."""

    kind: Literal["sentence-transformers"] = Field(description="A local model.")
    model: str = Field(default="sentence-transformers/all-MiniLM-L6-v2", description="Hub id or folder of the model.")
    revision: str | None = Field(default=None, description="Commit hash on the hub.")
    device: str = Field(
        default="auto", description="auto, cpu, cuda (all of them), cuda:N or mps; never part of the fingerprint."
    )
    dimensions: int | None = Field(
        default=None, gt=0, description="Shorten the vectors, where the model was trained for it."
    )
    runtime: Literal["auto", "openvino", "torch"] = Field(
        default="auto", description="What computes. auto: the fastest one that makes the model's own vectors."
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        default="auto",
        description="auto: bfloat16 where the processor has it, else float32; they share vectors. int8 is coarser: a"
        " vector space of its own, faster only where the processor has units for it (VNNI, AMX).",
    )
    batch_tokens: int | None = Field(default=None, gt=0, description="Padded tokens per batch. Default: by device.")


class PaidEmbedder(_Section):
    """What every embedder that costs money can be told; whoever asks whether one does asks for this."""

    requests_per_minute: int | None = Field(default=None, gt=0, description="Never send more requests than this.")
    tokens_per_minute: int | None = Field(default=None, gt=0, description="Never send more tokens than this.")
    concurrency: int = Field(default=8, gt=0, le=256, description="Requests on their way at once, at most.")
    max_usd: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Stop a run before it costs more."
    )
    max_usd_per_day: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Stop before all runs with this key together cost more in one day (UTC).",
    )
    usd_per_million_tokens: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="The price. Default: the list price, where it is known."
    )
    budget: DatabaseUrl = Field(
        default="",
        description="URL of the database in which runs share limits and money. Default: the ledger's where that is"
        " PostgreSQL, else sqlite:///~/.local/state/headrace/budget.db",
    )


class OpenAIEmbedder(PaidEmbedder):
    """OpenAI, or a server that speaks its protocol."""

    kind: Literal["openai"] = Field(description="The OpenAI embeddings API.")
    model: str = Field(default="text-embedding-3-small", description="The provider's name of the model.")
    api_key: SecretStr | None = Field(default=None, description="Default: the environment variable OPENAI_API_KEY.")
    base_url: WebAddress | None = Field(default=None, description="Another server with the same protocol.")
    dimensions: int | None = Field(
        default=None, gt=0, le=MOST_DIMENSIONS, description="Ask the provider for shorter vectors."
    )


class HashingEmbedder(_Section):
    """Feature hashing of words: no model, no meaning, but real vectors; for trials and tests."""

    kind: Literal["hashing"] = Field(description="Words hashed into a vector.")
    dimensions: int = Field(default=256, ge=8, le=MOST_DIMENSIONS, description="Length of the vectors.")


class QdrantStore(_Section):
    """Qdrant's engine, embedded in this process."""

    kind: Literal["qdrant"] = Field(description="Qdrant.")
    path: Location = Field(
        default="./.headrace/qdrant", validate_default=True, description="Folder of the embedded database."
    )
    collection: Name | None = Field(default=None, description="Default: the pipeline's name.")


class MemoryStore(_Section):
    """A collection in this process's memory, gone when it ends; for trials and tests."""

    kind: Literal["memory"] = Field(description="In memory.")
    collection: Name | None = Field(default=None, description="Default: the pipeline's name.")


class Deletions(_Section):
    """The guard: deletions above the limits are withheld until they are confirmed."""

    max_count: int = Field(default=10, ge=0, description="So many deletions are always fine.")
    max_fraction: float = Field(default=0.1, ge=0, le=1, description="And so large a share of the known documents.")
    max_weekly_fraction: float = Field(
        default=0.2, ge=0, le=1, description="A larger share that goes bit by bit within seven days is withheld too."
    )


def with_kind(source: Any) -> Any:
    """The source with `kind: files` where none is given: a union would refuse it, for it looks at the tag first."""
    return {"kind": "files", **source} if isinstance(source, dict) else source


Source = Annotated[FilesSource, BeforeValidator(with_kind)]
Embedder = Annotated[SentenceTransformersEmbedder | OpenAIEmbedder | HashingEmbedder, Field(discriminator="kind")]
Store = Annotated[QdrantStore | MemoryStore, Field(discriminator="kind")]


class Pipeline(_Section):
    """One YAML file: sources, how to cut and embed them, and the collection to keep equal to them."""

    name: Name = Field(description="Names the pipeline in reports, and its collection and ledger by default.")
    sources: tuple[Source, ...] = Field(min_length=1, description="Where the documents come from.")
    chunking: Chunking = Field(default_factory=lambda: Chunking.model_validate({}), description="How to cut.")
    embedder: Embedder = Field(description="What turns texts into vectors.")
    store: Store = Field(description="The vector database.")
    state: DatabaseUrl = Field(default="", description="URL of the ledger. Default: sqlite:///.headrace/NAME.db")
    cache: DatabaseUrl = Field(
        default="sqlite:///.headrace/embeddings.db",
        validate_default=True,
        description="URL of the embedding cache, shared by all pipelines that name it.",
    )
    deletions: Deletions = Field(default_factory=lambda: Deletions.model_validate({}), description="The guard.")

    @model_validator(mode="before")
    @classmethod
    def _state_after_name(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("state"):
            return {**given, "state": f"sqlite:///.headrace/{given.get('name', '')}.db"}
        return given

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are named {twice[0]!r}; give each its own `name`")
        return self

    def limited_to(self, max_usd: float | None) -> Self:
        """The same pipeline with the run's own money limit, where one is given and the embedder costs money."""
        if max_usd is None or not isinstance(self.embedder, PaidEmbedder):
            return self
        return self.model_copy(update={"embedder": self.embedder.model_copy(update={"max_usd": max_usd})})


class SyncOptions(_Section):
    """What one run may be told beside its configuration; the form in the Prefect UI shows these."""

    confirm_deletes: str | None = Field(default=None, description="PLAN_HASH of the deletions that may go through.")
    max_usd: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Stop before this run costs more."
    )
    wait: bool = Field(default=False, description="Wait for another run to finish instead of giving up.")
    paranoid: bool = Field(
        default=False, description="Read and hash every document, also where the listing shows no change."
    )
    retry_quarantined: bool = Field(
        default=False, description="Try documents again that were set aside and have not changed."
    )


class VerifyOptions(_Section):
    """What one verification may be told; the form in the Prefect UI shows these."""

    sample: int = Field(default=1000, ge=0, description="So many stored vectors are held against what was paid for.")
    repair: bool = Field(default=False, description="Write again what is wrong, then sync.")
    wait: bool = Field(default=False, description="Wait for another run to finish instead of giving up.")
