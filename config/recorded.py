"""What a generation keeps of the settings it was built with: it can be searched when those have changed."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from config.embedders import Embedder
from config.pipeline import Chunking, Pipeline

_EMBEDDER: TypeAdapter[Embedder] = TypeAdapter(Embedder)


def recorded_settings(pipeline: Pipeline) -> dict[str, Any]:
    """Embedder and chunking as JSON, without secrets."""
    return {"embedder": pipeline.embedder.recorded(), "chunking": pipeline.chunking.model_dump(mode="json")}


def shape(pipeline: Pipeline) -> str:
    """Equal for settings with which the same chunks get the same vectors."""
    parts = {"embedder": pipeline.embedder.shape(), "chunking": pipeline.chunking.model_dump(mode="json")}
    return json.dumps(parts, sort_keys=True)


def as_recorded(pipeline: Pipeline, settings: Mapping[str, Any]) -> Pipeline:
    """The pipeline with embedder and chunking as they were; secrets, limits and device are those of its own section.

    Where that is of another kind, secrets come from the environment, and the rest is as it was as well.
    """
    embedder = _EMBEDDER.validate_python(settings["embedder"])
    if type(embedder) is type(pipeline.embedder):
        embedder = _EMBEDDER.validate_python(embedder.as_here(pipeline.embedder))
    chunking = Chunking.model_validate(settings["chunking"])
    return pipeline.model_copy(update={"embedder": embedder, "chunking": chunking})
