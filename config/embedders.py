"""What turns texts into vectors."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator

from config.fields import SECRET_NAME, DatabaseUrl, ModelName, PaidSection, Section, WebAddress, public_url

MOST_DIMENSIONS = 65_536  # no vector database here takes more


ServedName = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=500)]  # one line, without blanks around it


class EmbedderSection(Section):
    """What every embedder's section has; `UNSHAPED` names settings that change no vector."""

    UNSHAPED: ClassVar[frozenset[str]] = frozenset()
    QUERY_SIDE: ClassVar[frozenset[str]] = frozenset()  # those of UNSHAPED that are for this one model

    def recorded(self) -> dict[str, Any]:
        """What is kept beside vectors that were made with it, to make more of them later: everything but secrets."""
        secrets = {name for name, value in self if isinstance(value, SecretStr)}
        return self.model_dump(mode="json", exclude={*secrets, "budget"}, exclude_none=True)

    def shape(self) -> dict[str, Any]:
        """Equal where vectors are made alike."""
        return {name: value for name, value in self.recorded().items() if name not in self.UNSHAPED}

    def as_here(self, configured: "EmbedderSection") -> "EmbedderSection":
        """The same vectors, made in the way that a section of the same kind asks for."""
        is_same = getattr(configured, "model", None) == getattr(self, "model", None)
        # Whether a length is forced is asked of those vectors that have it.
        names = self.UNSHAPED - {"force_dimensions"} - (frozenset() if is_same else self.QUERY_SIDE)
        return self.model_copy(update={name: getattr(configured, name) for name in names})


class Prompts(EmbedderSection):
    """What is put before the texts of an open model, where its row or its own files do not say it, or not right."""

    QUERY_SIDE: ClassVar[frozenset[str]] = frozenset({"query_prefix", "task"})

    document_prefix: str | None = Field(
        default=None, description="Put before each document's text. Default: what is known of the model."
    )
    query_prefix: str | None = Field(
        default=None,
        description="Put before a query; {task} in it is `task`. May change at any time. Default: what is known of the"
        " model.",
    )
    task: str = Field(
        default="", description="What queries are for, in one sentence, for models that follow instructions."
    )


class SentenceTransformersEmbedder(Prompts):
    """A model that runs here, through sentence-transformers."""

    UNSHAPED: ClassVar[frozenset[str]] = Prompts.QUERY_SIDE | {"device", "runtime", "batch_tokens", "force_dimensions"}

    kind: Literal["sentence-transformers"] = Field(description="A local model.")
    model: ModelName = Field(
        default="sentence-transformers/all-MiniLM-L6-v2",
        description="Hub id or folder of the model; one that begins with a dot is relative to the file.",
    )
    revision: str | None = Field(default=None, description="Commit hash on the hub.")
    device: str = Field(
        default="auto", description="auto, cpu, cuda (all of them), cuda:N or mps; never part of the fingerprint."
    )
    dimensions: int | None = Field(
        default=None, gt=0, description="Shorten the vectors, where the model was trained for it (Matryoshka)."
    )
    force_dimensions: bool = Field(
        default=False, description="Shorten them also where the model is not known to be trained for it."
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


class ClipEmbedder(EmbedderSection):
    """A model that runs here and sees: pictures and texts in one space."""

    UNSHAPED: ClassVar[frozenset[str]] = frozenset({"device"})

    kind: Literal["clip"] = Field(description="A local CLIP, SigLIP or SigLIP 2, for pictures and texts.")
    model: str = Field(description="Hub id or folder of the model, such as google/siglip2-base-patch16-224.")
    revision: str | None = Field(default=None, description="Commit hash on the hub.")
    device: str = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps; never part of the fingerprint.")


class PaidEmbedder(EmbedderSection, PaidSection):
    """What every embedder that costs money can be told; whoever asks whether one does asks for this."""

    UNSHAPED: ClassVar[frozenset[str]] = frozenset(
        {
            *("requests_per_minute", "tokens_per_minute", "concurrency", "batch_texts", "base_url", "query_model"),
            *("max_usd", "max_usd_per_day", "budget", "api_key"),
        }
    )
    QUERY_SIDE: ClassVar[frozenset[str]] = frozenset({"query_model"})

    model: ServedName = Field(description="The provider's name of the model.")
    query_model: ServedName | None = Field(
        default=None, description="Embed queries with another model of the same family. Default: with `model`."
    )
    requests_per_minute: int | None = Field(default=None, gt=0, description="Never send more requests than this.")
    tokens_per_minute: int | None = Field(default=None, gt=0, description="Never send more tokens than this.")
    concurrency: int = Field(default=8, gt=0, le=256, description="Requests on their way at once, at most.")
    batch_texts: int | None = Field(
        default=None,
        gt=0,
        description="Texts in one request, at most; fewer for a slow server. Default: what the provider takes, learned"
        " from its answers where it is not known.",
    )
    usd_per_million_tokens: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="The price. Default: the list price, where it is known."
    )
    budget: DatabaseUrl = Field(
        default="",
        description="URL of the database in which runs share limits and money. Default: the ledger's where that is"
        " PostgreSQL, else sqlite:///~/.local/state/headrace/budget.db",
    )
    base_url: WebAddress | None = Field(default=None, description="Another server with the same protocol.")
    dimensions: int | None = Field(
        default=None, gt=0, le=MOST_DIMENSIONS, description="Ask the provider for shorter vectors."
    )

    @property
    def rounding(self) -> str:
        """How coarse the numbers are that are asked for; empty where they are the model's own."""
        return ""

    def model_of(self, side: str) -> str:
        """The model for documents, or for queries."""
        return self.query_model or self.model if side == "query" else self.model

    def recorded(self) -> dict[str, Any]:
        """The address is kept without what may be a secret."""
        settings = super().recorded()
        return {**settings, "base_url": public_url(self.base_url)} if self.base_url else settings

    def as_here(self, configured: EmbedderSection) -> EmbedderSection:
        """A key is for its own server: for another one it is the environment's."""
        here = super().as_here(configured)
        theirs = getattr(configured, "base_url", None)
        theirs = theirs and public_url(theirs)
        return here if theirs == self.base_url else here.model_copy(update={"base_url": self.base_url, "api_key": None})


class OpenAIEmbedder(PaidEmbedder, Prompts):
    """OpenAI, or a server that speaks its protocol."""

    QUERY_SIDE: ClassVar[frozenset[str]] = PaidEmbedder.QUERY_SIDE | Prompts.QUERY_SIDE | {"query_extra_body"}
    UNSHAPED: ClassVar[frozenset[str]] = (
        PaidEmbedder.UNSHAPED | QUERY_SIDE | {"force_dimensions", "tokenizer", "delivery"}
    )

    kind: Literal["openai"] = Field(description="The OpenAI embeddings API.")
    model: ServedName = Field(
        default="text-embedding-3-small",
        description="The provider's name of the model, or a server's for an open one: a hub id or the like.",
    )
    api_key: SecretStr | None = Field(default=None, description="Default: the environment variable OPENAI_API_KEY.")
    dimension: int | None = Field(
        default=None,
        gt=0,
        le=MOST_DIMENSIONS,
        description="Length of the model's own vectors, where it is not known; never sent.",
    )
    force_dimensions: bool = Field(
        default=False, description="Ask for shorter vectors also where the model is not known to be trained for it."
    )
    tokenizer: Literal["auto", "estimate"] = Field(
        default="auto",
        description="What counts for an open model. auto: its own tokenizer where its files are here. estimate: never,"
        " so that machines with and without them cut alike.",
    )
    delivery: Literal["now", "batch"] = Field(
        default="now",
        description="batch: documents through the Batch API, at half the price within a day; queries always go now.",
    )
    extra_body: dict[str, Any] | None = Field(
        default=None, description="More fields of the request, such as {input_type: passage}."
    )
    query_extra_body: dict[str, Any] | None = Field(
        default=None, description="The same for queries, over those of `extra_body`: {input_type: query}."
    )

    @field_validator("extra_body", "query_extra_body")
    @classmethod
    def _hold_what_may_stand_there(cls, fields: dict[str, Any] | None) -> dict[str, Any] | None:
        own = {"model", "input", "dimensions"} & (fields or {}).keys()
        if own:
            raise ValueError(f"{min(own)!r} is not for here: `model` and `dimensions` are settings of their own")
        return _without_secrets(fields)


class RoundedEmbedder(PaidEmbedder):
    """A provider that answers coarser numbers where it is asked to."""

    output_dtype: Literal["float", "int8", "binary"] = Field(
        default="float",
        description="int8: whole numbers; binary: signs alone. Each is a vector space of its own, at the same price.",
    )

    @property
    def rounding(self) -> str:
        """Part of the vector space."""
        return "" if self.output_dtype == "float" else self.output_dtype


class CohereEmbedder(RoundedEmbedder):
    """Cohere's models."""

    kind: Literal["cohere"] = Field(description="The Cohere embeddings API.")
    model: ServedName = Field(default="embed-v4.0", description="The provider's name of the model.")
    api_key: SecretStr | None = Field(
        default=None, description="Default: the environment variable CO_API_KEY or COHERE_API_KEY."
    )


class VoyageEmbedder(RoundedEmbedder):
    """Voyage's models."""

    kind: Literal["voyage"] = Field(description="The Voyage embeddings API.")
    model: ServedName = Field(default="voyage-4", description="The provider's name of the model.")
    api_key: SecretStr | None = Field(default=None, description="Default: the environment variable VOYAGE_API_KEY.")


class GeminiEmbedder(PaidEmbedder):
    """Google's models."""

    kind: Literal["gemini"] = Field(description="The Gemini embeddings API.")
    model: ServedName = Field(default="gemini-embedding-2", description="The provider's name of the model.")
    api_key: SecretStr | None = Field(
        default=None, description="Default: the environment variable GEMINI_API_KEY or GOOGLE_API_KEY."
    )


class LangChainEmbedder(EmbedderSection):
    """Any embeddings class of LangChain's; what it costs cannot be seen from here."""

    UNSHAPED: ClassVar[frozenset[str]] = frozenset({"batch_texts"})

    kind: Literal["langchain"] = Field(description="A class of LangChain's, such as langchain_ollama.OllamaEmbeddings.")
    class_name: str = Field(
        validation_alias=AliasChoices("class", "class_name"),
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
        description="Package and class. It takes its keys from the environment.",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Passed to the class; part of the fingerprint.")
    dimensions: int = Field(gt=0, le=MOST_DIMENSIONS, description="Length of its vectors.")
    max_tokens: int = Field(default=512, ge=16, description="What it reads of a text, counted by OpenAI's cl100k_base.")
    batch_texts: int = Field(default=64, gt=0, description="Texts that it is given at once.")

    @field_validator("arguments")
    @classmethod
    def _hold_no_secret(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        return _without_secrets(arguments) or {}


class HashingEmbedder(EmbedderSection):
    """Feature hashing of words: no model, no meaning, but real vectors; for trials and tests."""

    kind: Literal["hashing"] = Field(description="Words hashed into a vector.")
    dimensions: int = Field(default=256, ge=8, le=MOST_DIMENSIONS, description="Length of the vectors.")


def _without_secrets(settings: dict[str, Any] | None) -> dict[str, Any] | None:
    secret = next((name for name in settings or () if SECRET_NAME.fullmatch(name)), None)
    if secret:
        raise ValueError(f"{secret!r} is kept beside the vectors like all that stands there; put it in the environment")
    return settings


Embedder = Annotated[
    SentenceTransformersEmbedder
    | ClipEmbedder
    | OpenAIEmbedder
    | CohereEmbedder
    | VoyageEmbedder
    | GeminiEmbedder
    | LangChainEmbedder
    | HashingEmbedder,
    Field(discriminator="kind"),
]
