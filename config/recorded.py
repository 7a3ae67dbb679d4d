"""What a generation keeps of the settings it was built with: it can be searched when those have changed."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from config.embedders import Embedder
from config.pipeline import Chunking, Pipeline

_EMBEDDER: TypeAdapter[Embedder] = TypeAdapter(Embedder)
_FUSION = {"mode", "dense_weight"}  # of `search`: what it takes a comparison to choose


def recorded_settings(pipeline: Pipeline) -> dict[str, Any]:
    """Embedder, chunking, the store's precision and what a rebuild changes of searches, as JSON without secrets."""
    precision = {pipeline.store.kind: pipeline.store.kept_as}  # another store's says nothing of this one
    chunking = pipeline.chunking.model_dump(mode="json")
    search = pipeline.search.model_dump(mode="json", include={*_FUSION, "language"})
    return {"embedder": pipeline.embedder.recorded(), "chunking": chunking, "precision": precision, "search": search}


def shape(pipeline: Pipeline) -> str:
    """Equal for settings with which the same chunks get the same vectors, and a store keeps them alike."""
    parts: dict[str, Any] = {
        "embedder": pipeline.embedder.shape(),
        "chunking": pipeline.chunking.model_dump(mode="json"),
    }
    if pipeline.store.kept_as != "float32":  # as all were before it was a setting
        parts["precision"] = pipeline.store.kept_as
    return json.dumps(parts, sort_keys=True)


def as_recorded(pipeline: Pipeline, settings: Mapping[str, Any]) -> Pipeline:
    """The pipeline with embedder, chunking and precision as they were; secrets, limits and device are those of today.

    Where the embedder is of another kind, secrets come from the environment, and the rest is as it was as well.
    """
    embedder = _EMBEDDER.validate_python(settings["embedder"])
    if type(embedder) is type(pipeline.embedder):
        embedder = _EMBEDDER.validate_python(embedder.as_here(pipeline.embedder))
    chunking = Chunking.model_validate(settings["chunking"])
    store = pipeline.store
    kept = settings.get("precision", {store.kind: "float32"}).get(store.kind)
    if kept and "precision" in type(store).model_fields:
        store = store.model_copy(update={"precision": kept})
    return as_answered(pipeline, settings).model_copy(
        update={"embedder": embedder, "chunking": chunking, "store": store}
    )


def as_answered(pipeline: Pipeline, settings: Mapping[str, Any] | None) -> Pipeline:
    """The pipeline, which fuses as the gate has let through where it has one; else as it says.

    A shared collection has no other generation that could be let through.
    """
    fusion = {name: kept for name, kept in (settings or {}).get("search", {}).items() if name in _FUSION}
    if not (pipeline.quality and fusion) or pipeline.store.shared:
        return pipeline
    return pipeline.model_copy(update={"search": pipeline.search.model_copy(update=fusion)})
