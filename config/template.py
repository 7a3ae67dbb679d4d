"""The configuration that `headrace init` writes: a folder, a local model, an embedded store."""

import json
import os
import re
from pathlib import Path

import yaml

from config.errors import ConfigError

TEMPLATE = """\
# One file is one pipeline. Paths are relative to this file; ${{NAME}} takes an environment variable.
# `headrace plan {file}` says what a sync would do, `headrace sync {file}` does it.
name: {name}

sources:
  - kind: files                 # a folder, a file, or a URL such as s3://bucket/docs
    path: {path}
    name: {name}                # first part of the document ids
    # include: ["**/*.md", "**/*.html"]
    exclude: ["headrace.yaml"]

chunking:
  kind: auto                    # headings, definitions, paragraphs; exact in the model's own tokens
  max_tokens: 256

embedder:
  kind: sentence-transformers   # or openai, with api_key: ${{OPENAI_API_KEY}}
  model: sentence-transformers/all-MiniLM-L6-v2
  device: auto

store:
  kind: qdrant
  path: ./.headrace/qdrant      # Qdrant's engine, embedded; no server

# Deletions above both limits are withheld until they are confirmed.
deletions: {{max_count: 10, max_fraction: 0.1}}
"""


def write_config(folder: Path, target: Path) -> Path:
    """Write a commented configuration for `folder` to `target`; never over an existing file."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; expected the folder whose documents are to be indexed")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:100] or "documents"
    path = Path(os.path.relpath(folder, target.parent)).as_posix()
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(name=_scalar(name), path=_scalar(path), file=target.name))
    except FileExistsError:
        raise ConfigError(f"{target} exists already; edit it, or remove it first") from None
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}; choose another folder") from error
    return target


def _scalar(text: str) -> str:
    """The text as YAML, in quotes where it would otherwise be read as something else: a number, a date, a variable."""
    escaped = text.replace("${", "$${")
    is_plain = re.fullmatch(r"[\w./-]+", escaped) and yaml.safe_load(escaped) == escaped
    return escaped if is_plain else json.dumps(escaped, ensure_ascii=False)
