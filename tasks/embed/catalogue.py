"""The models that Headrace knows: what they cost, and whether they can run here."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from config import embedders
from tasks.embed.models import (
    LocalModel,
    PaidModel,
    PaidModels,
    is_installed,
    local_model,
    local_models,
    paid_models,
    providers,
)
from tasks.errors import ConfigError, MissingExtraError

BYTES_A_PARAMETER = 5  # of a float of 32 bits, and of what else a model needs while it runs
_MODULES = {"images": "PIL"}  # what an extra brings
_FOR_ONE_MODEL = {
    "dimension", "dimensions", "document_prefix", "extra_body", "query_extra_body", "query_model", "query_prefix",
}  # fmt: skip
_SECTION: TypeAdapter[embedders.Embedder] = TypeAdapter(embedders.Embedder)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A row of the registry; `why_not` says what is missing where it cannot run here.

    `max_tokens` is 0 where the model reads texts of any length; `sizes` are other lengths of its vectors. A price is
    None where none is known. Models of one `space` find each other's vectors.
    """

    model: str
    kind: str
    dimension: int
    sizes: tuple[int, ...]
    max_tokens: int
    usd_per_million_tokens: float | None
    batch_usd_per_million_tokens: float | None
    licence: str
    space: str
    retires: str | None
    unverified: tuple[str, ...]
    runs_here: bool
    why_not: str


def catalogue() -> Iterator[ModelStatus]:
    """Those that run here first, then those of each provider."""
    for name, local in local_models().items():
        yield _status(name, local.kind, local, _why_not_local(local))
    for provider in providers():
        known = paid_models(provider)
        for name, paid in known.models.items():
            yield _status(name, provider, paid, _why_not_paid(provider, known, paid))


def section_for(model: str, configured: embedders.Embedder) -> embedders.Embedder:
    """The settings with which another model would be used: its own kind's, else those that are configured.

    ConfigError where such a model has no place in them.
    """
    kind = next((name for name in providers() if model in paid_models(name).models), None)
    known = local_model(model)
    kind = kind or (known.kind if known else None) or configured.kind
    try:
        section = _SECTION.validate_python({"kind": kind, "model": model})
    except ValidationError as error:
        raise ConfigError(
            f"{model!r} is not known, and `kind: {kind}` takes no such model; `headrace models` lists those that are"
        ) from error
    if type(section) is type(configured):
        update = {name: getattr(section, name) for name in _FOR_ONE_MODEL if name in type(configured).model_fields}
        return configured.model_copy(update={"model": model, **update})
    return section


def _status(name: str, kind: str, model: LocalModel | PaidModel, why_not: str) -> ModelStatus:
    price: float | None = 0.0
    batch_price: float | None = None
    retires: str | None = None
    if isinstance(model, PaidModel):
        price, batch_price = model.usd_per_million_tokens or None, model.batch_usd_per_million_tokens or None
        retires = model.retires.isoformat() if model.retires else None
    return ModelStatus(
        model=name,
        kind=kind,
        dimension=model.dimension,
        sizes=model.sizes,
        max_tokens=model.max_tokens,
        usd_per_million_tokens=price,
        batch_usd_per_million_tokens=batch_price,
        licence=model.licence,
        space=model.space,
        retires=retires,
        unverified=model.unverified,
        runs_here=not why_not,
        why_not=why_not,
    )


def _why_not_local(model: LocalModel) -> str:
    if model.remote_code:
        return "it needs code from its own repository, which is never run here"
    if model.extra and not is_installed(_MODULES[model.extra]):
        return str(MissingExtraError(model.kind, model.extra))
    needed, there = model.parameters * 1_000_000 * BYTES_A_PARAMETER, _memory_bytes()
    if needed > there:
        return f"it needs about {needed >> 30} GB of memory, and {there >> 30} GB are here"
    return ""


def _why_not_paid(provider: str, known: PaidModels, model: PaidModel) -> str:
    if known.sdk and not is_installed(known.sdk):
        return str(MissingExtraError(provider, provider))
    if model.address:
        return f"set base_url: {model.address}, and its key as api_key"
    return f"export {known.keys[0]}" if known.keys and not any(map(os.environ.get, known.keys)) else ""


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
