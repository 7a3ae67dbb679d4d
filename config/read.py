"""YAML file and environment to a Pipeline, or a ConfigError that names file, line, field and remedy."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from config.environment import Environment
from config.errors import ConfigError
from config.explain import explain
from config.fields import Name
from config.pipeline import Pipeline
from config.secrets import refuse_written_secrets
from config.yaml_file import read_yaml


def read_pipeline(path: Path) -> Pipeline:
    """`${NAME}` takes an environment variable, `${NAME:-default}` may be missing, `$${` stands for `${`.

    `${secret:NAME}` takes a Prefect Secret block; a key or a password that stands in the file itself is refused.
    Relative paths in the file are relative to the file. What came from the environment never shows in an error.
    """
    file = read_yaml(path)
    refuse_written_secrets(file)
    environment = Environment(os.environ)
    filled = environment.fill(file)
    try:
        context = {"folder": str(path.absolute().parent), "file": str(path.resolve())}
        return Pipeline.model_validate(filled, context=context)
    except ValidationError as error:
        # Pydantic's own message quotes what was given, secrets too: it goes no further.
        raise ConfigError(explain(error, file, environment)) from None


def read_name(path: Path) -> str:
    """The pipeline's name alone: no other setting need be right, and no secret is asked for; else a ConfigError."""
    file = read_yaml(path)
    named = replace(file, content={"name": file.content.get("name")})
    try:
        return TypeAdapter(dict[str, Name]).validate_python(Environment(os.environ).fill(named))["name"]
    except ValidationError:
        raise ConfigError(f"{file.place(('name',))}: no name of a pipeline stands here") from None


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a configuration file, for editors."""
    shape = Pipeline.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **shape, "title": "Headrace pipeline"}
