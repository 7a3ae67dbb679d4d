"""One YAML file: a pipeline. Unions are told apart by `kind`; unknown keys are errors."""

from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from config.copies import NearDuplicates
from config.embedders import Embedder, PaidEmbedder
from config.fields import DatabaseUrl, Location, Name, PaidSection, SearchLanguage, Section, WebAddress
from config.labels import READERS
from config.runner import LocalRunner, Runner
from config.sources import Source
from config.stores import Store

SearchMode = Literal["hybrid", "dense", "text"]


class Chunking(Section):
    """How documents are cut. Sizes are tokens of the embedder's own tokenizer."""

    kind: Literal["auto"] = Field(
        default="auto", description="Structure-aware by format: headings, definitions, paragraphs."
    )
    max_tokens: int = Field(default=256, ge=16, description="No chunk is longer; the model's own limit wins.")
    overlap_tokens: int = Field(
        default=0, ge=0, description="Tokens repeated from the chunk before, inside one section."
    )
    context: Literal["auto", "none"] = Field(
        default="auto",
        description="`auto` embeds a chunk below what it needs to be understood: the document's title where the text"
        " does not begin with it, the class around a method, a table's header, the sentence above a list.",
    )
    late: bool = Field(
        default=False,
        description="Embed chunks inside their whole document (late chunking); a changed document is embedded anew.",
    )

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> Self:
        if self.overlap_tokens > self.max_tokens // 2:
            raise ValueError(f"overlap_tokens is {self.overlap_tokens}, at most half of max_tokens is useful")
        return self


class Rerank(PaidSection):
    """A model that reads the query with each of the best results, and sorts them anew."""

    model: str = Field(
        min_length=1,
        description="A cross-encoder's hub id or folder, such as cross-encoder/ms-marco-MiniLM-L6-v2, or a provider's"
        " name of one, such as rerank-v3.5 (Cohere) or rerank-2.5 (Voyage).",
    )
    kind: Literal["auto", "sentence-transformers", "cohere", "voyage"] = Field(
        default="auto", description="auto: by the model's name; one that no provider has runs here."
    )
    top: int = Field(default=50, ge=1, le=100, description="So many of the best results are read.")
    device: str = Field(default="auto", description="Of a model that runs here: auto, cpu, cuda, cuda:N or mps.")
    base_url: WebAddress | None = Field(default=None, description="Another server with the same protocol.")
    usd_per_query: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="What one query costs.")

    @property
    def provider(self) -> str:
        """Who has the model."""
        service = "cohere" if "-v" in self.model else "voyage"
        likely = service if self.model.startswith("rerank-") else "sentence-transformers"
        return {"auto": likely}.get(self.kind, self.kind)

    @model_validator(mode="after")
    def _money_has_a_price(self) -> Self:
        self.require_price(self.usd_per_query, "usd_per_query")
        return self


class Writer(PaidSection):
    """A chat model that writes questions for `evaluate --bootstrap --writer`, behind an endpoint like OpenAI's."""

    model: str = Field(min_length=1, description="The server's name of the model, such as gpt-4o-mini.")
    base_url: WebAddress = Field(
        default="https://api.openai.com/v1",
        description="Where `/chat/completions` is: http://localhost:11434/v1 asks Ollama on this machine.",
    )
    api_key: SecretStr | None = Field(default=None, description="Default: the environment variable OPENAI_API_KEY.")
    usd_per_million_tokens: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="The price of what it reads."
    )
    usd_per_million_output_tokens: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="The price of what it writes. Default: the same."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="More fields of each request, such as {reasoning_effort: minimal}."
    )

    @model_validator(mode="after")
    def _money_has_a_price(self) -> Self:
        self.require_price(self.usd_per_million_tokens, "usd_per_million_tokens")
        return self


class Search(Section):
    """How queries are answered."""

    mode: SearchMode = Field(
        default="hybrid",
        description="hybrid: by vectors and by words; dense: by vectors alone; text: by words alone.",
    )
    language: SearchLanguage = Field(
        default="auto",
        description="Of the words: their stems are compared, and frequent ones left out; none for mixed languages, and"
        " for scripts without spaces; auto: none where the first texts are mostly in such a script, else english. It"
        " holds for collections made from then on: `headrace rebuild` embeds nothing.",
    )
    dense_weight: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How much vectors count against words in hybrid search. Default: 0.5, for source code 0.7.",
    )
    rerank: Rerank | None = Field(default=None, description="A second look at the best results.")


class Quality(Section):
    """Queries with known answers: a new generation that answers them worse is not switched to."""

    queries: Location = Field(description='JSONL with "_id" and "text", or lines of id and text.')
    qrels: Location = Field(description="Query, document and grade, as BEIR or TREC have it.")
    spans: Location | None = Field(default=None, description="Query, document, start and end of each answer.")
    max_drop: float = Field(
        default=0.0, ge=0, le=1, description="So much less is accepted, of answer@1000 with spans, else of nDCG@10."
    )


class Deletions(Section):
    """The guard: deletions above the limits are withheld until they are confirmed."""

    max_count: int = Field(default=10, ge=0, description="So many deletions are always fine.")
    max_fraction: float = Field(default=0.1, ge=0, le=1, description="And so large a share of the known documents.")
    max_weekly_fraction: float = Field(
        default=0.2, ge=0, le=1, description="A larger share that goes bit by bit within seven days is withheld too."
    )


class Pipeline(Section):
    """One YAML file: sources, how to cut and embed them, and the collection to keep equal to them."""

    name: Name = Field(description="Names the pipeline in reports, and its collection and ledger by default.")
    sources: tuple[Source, ...] = Field(min_length=1, description="Where the documents come from.")
    chunking: Chunking = Field(default_factory=lambda: Chunking.model_validate({}), description="How to cut.")
    embedder: Embedder = Field(description="What turns texts into vectors.")
    store: Store = Field(description="The vector database.")
    state: DatabaseUrl = Field(
        default="",
        description="URL of the ledger, or the path of its SQLite file. Default: sqlite:///.headrace/NAME.db",
    )
    cache: DatabaseUrl = Field(
        default="sqlite:///.headrace/embeddings.db",
        validate_default=True,
        description="URL of the embedding cache, shared by all pipelines that name it.",
    )
    shards: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="The ledger is spread over so many databases beside `state`, each with a part of the documents; a"
        " run works them off in turn and takes the memory of one, or some of them side by side: `shards_at_once` under"
        " `runner`. For more than a million documents.",
    )
    search: Search = Field(default_factory=lambda: Search.model_validate({}), description="Search settings.")
    quality: Quality | None = Field(default=None, description="The gate before a new generation goes live.")
    writer: Writer | None = Field(default=None, description="Who writes questions, where there are none.")
    runner: Runner = Field(
        default_factory=lambda: LocalRunner.model_validate({}), description="Where models run, and shards."
    )
    metrics: Location | None = Field(
        default=None,
        description="A file that each run writes anew in Prometheus' text format, such as x.prom; or where a collector"
        " of OpenTelemetry takes metrics by gRPC, such as http://collector:4317.",
    )
    quarantine_alert: int = Field(
        default=0, ge=0, description="More documents in quarantine than this are an event of their own, for alerts."
    )
    deletions: Deletions = Field(default_factory=lambda: Deletions.model_validate({}), description="The guard.")
    near_duplicates: NearDuplicates | None = Field(
        default=None, description="What to do about documents that are nearly the same. Default: nothing."
    )
    _generation: int = PrivateAttr(default=1)
    _first: "Pipeline | None" = PrivateAttr(default=None)  # where this is a later generation

    _file: str = PrivateAttr(default="")

    @property
    def file(self) -> str:
        """The file's absolute path; empty where the settings come from none."""
        return self._file

    def model_post_init(self, context: Any, /) -> None:
        """Keep what the reader of the file says of it."""
        self._file = (context or {}).get("file", "")

    @model_validator(mode="before")
    @classmethod
    def _state_after_name(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("state"):
            return {**given, "state": f"sqlite:///.headrace/{given.get('name', '')}.db"}
        return given

    @model_validator(mode="before")
    @classmethod
    def _readers_are_indexed(cls, given: Any) -> Any:
        """Every search filters by them; a store without `filter_fields` needs no index."""
        match given:
            case {"sources": list(sources), "store": {"kind": "qdrant" | "pgvector", **rest} as store}:
                if any(isinstance(source, dict) and source.get("acl") is not None for source in sources):
                    fields = rest.get("filter_fields") or {}
                    if isinstance(fields, dict):
                        return {**given, "store": {**store, "filter_fields": {**fields, READERS: "keyword"}}}
            case _:
                pass
        return given

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are named {twice[0]!r}; give each its own `name`")
        return self

    @model_validator(mode="after")
    def _copies_are_found_in_one_ledger(self) -> Self:
        if self.near_duplicates and self.shards > 1:
            raise ValueError("`near_duplicates` compares all documents, so it wants `shards: 1`; leave out one of them")
        return self

    @model_validator(mode="after")
    def _shared_collection_is_named(self) -> Self:
        if self.store.shared and self.store.collection is None:
            raise ValueError("`shared` under `store` wants `collection` beside it: the name that all of them use")
        return self

    @property
    def has_readers(self) -> bool:
        """Whether each document says who may read it."""
        return any(source.acl is not None for source in self.sources)

    @property
    def generation(self) -> int:
        """Number of the collection that is meant: a file alone means the first."""
        return self._generation

    @property
    def collection(self) -> str:
        """The name of the collection, as it was asked for."""
        return self.store.collection or self.name

    @property
    def live_name(self) -> str:
        """The name under which other readers find the live generation."""
        return f"{(self._first or self).collection}-live"

    def as_generation(self, number: int) -> "Pipeline":
        """The same sources, cut and embedded the same way, into a collection and a ledger of its own.

        No name of a pipeline makes a ledger's file that ends so.
        """
        first = self._first or self
        state, store = first.state, first.store
        if number > 1:
            state = first.state_of(str(number))
            store = store.as_generation(number, f"{first.collection}-{number}")
        made = self.model_copy(update={"state": state, "store": store})
        made._generation, made._first = number, first if number > 1 else None
        return made

    def state_of(self, part: str) -> str:
        """Where the ledger of a generation, or one of its shards, is: beside its file; on a server schemas do that."""
        path, mark, rest = self.state.partition("?")
        is_file = path.startswith("sqlite") and path.partition("://")[2].strip("/") not in ("", ":memory:")
        return f"{path}.{part}{mark}{rest}" if is_file and part else self.state

    def without_sources(self) -> "Pipeline":
        """The same for a worker that is handed what was read: neither sources nor their secrets go with it."""
        made = self.model_copy(update={"sources": (), "runner": LocalRunner.model_validate({})})
        made._generation, made._first = self._generation, None
        return made

    def limited_to(self, max_usd: float | None) -> Self:
        """The same pipeline with the run's own money limit, where one is given and the embedder costs money."""
        if max_usd is None or not isinstance(self.embedder, PaidEmbedder):
            return self
        return self.model_copy(update={"embedder": self.embedder.model_copy(update={"max_usd": max_usd})})
