"""YAML file and environment to a Pipeline, or a ConfigError that names file, line, field and remedy."""

import difflib
import os
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from config.errors import ConfigError
from config.schema import Pipeline

_VARIABLE = re.compile(r"\$(\$?)\{(\w+)(?::-([^}]*))?\}")
_KINDS = {"literal_error", "union_tag_invalid", "union_tag_not_found"}


def read_pipeline(path: Path) -> Pipeline:
    """`${NAME}` takes an environment variable, `${NAME:-default}` may be missing, `$${` stands for itself.

    Relative paths in the file are relative to the file. What came from the environment never shows in an error.
    """
    raw, node = _load(path)
    given = _substitute(raw, _Place(path, node))
    try:
        return Pipeline.model_validate(given, context={"folder": str(path.absolute().parent)})
    except ValidationError as error:
        place = _Place(path, node)
        # pydantic also calls a list too short whose only item it has just refused.
        found = [problem for problem in error.errors(include_url=False) if problem["type"] != "too_short"]
        problems = [_explain(problem, raw, place) for problem in found or error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(problems))) from None


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a configuration file, for editors."""
    shape = Pipeline.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **shape, "title": "Headrace pipeline"}


class _Place:
    """Finds the line of a field."""

    def __init__(self, path: Path, node: yaml.Node) -> None:
        self._path = path
        self._node = node

    def __call__(self, fields: Sequence[int | str]) -> str:
        node = self._node
        for field in fields:
            node = _child(node, field) or node
        return f"{self._path}:{node.start_mark.line + 1}"


def _child(node: yaml.Node, field: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(field, int):
        return node.value[field] if field < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == field), None)
    return None


def _load(path: Path) -> tuple[dict[str, Any], yaml.Node]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `headrace init FOLDER` writes one") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; expected a YAML file, `headrace init {path}` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; expected a YAML file in UTF-8") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if node is None or not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping with name, sources, embedder and store; see `headrace schema`")
    for key in _repeated_keys(node):
        raise ConfigError(f"{path}:{key.start_mark.line + 1}: the key {key.value!r} stands here a second time")
    return raw, node


def _repeated_keys(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key
            seen.add(key.value)
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated_keys(value)


def _substitute(value: Any, place: _Place, fields: tuple[int | str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {key: _substitute(item, place, (*fields, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, place, (*fields, index)) for index, item in enumerate(value)]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _environment(found, place(fields), fields), value)
    return value


def _environment(found: re.Match[str], where: str, fields: Sequence[int | str]) -> str:
    escaped, name, default = found.groups()
    if escaped:
        return found.group(0)[1:]
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"{where}: {_dotted(fields)}: the environment variable {name} is not set; export {name}=…")
    return value


def _explain(problem: Mapping[str, Any], raw: Mapping[str, Any], place: _Place) -> str:
    fields = _written_fields(problem["loc"], raw)
    where, name = place(fields), _dotted(fields)
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{where}: {name}: unknown setting{_did_you_mean(problem['loc'])}"
    if kind == "missing":
        return f"{where}: {name}: this setting is missing"
    if kind in _KINDS:
        expected = context.get("expected_tags") or context.get("expected") or "a `kind`"
        given = _shown(raw, fields if fields[-1:] == ("kind",) else (*fields, "kind"))
        return f"{where}: {name}: {given} is none of the known kinds; expected {expected}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {name}: {_shown(raw, fields)}: {message[:1].lower()}{message[1:]}"


def _written_fields(loc: Sequence[int | str], raw: Any) -> tuple[int | str, ...]:
    """Without the tags that a union puts into the path."""
    fields: list[int | str] = []
    for position, part in enumerate(loc):
        is_tag = isinstance(raw, dict) and part not in raw and raw.get("kind") == part and position < len(loc) - 1
        if not is_tag:
            fields.append(part)
            raw = raw.get(part) if isinstance(raw, dict) else _item(raw, part)
    return tuple(fields)


def _item(raw: Any, part: int | str) -> Any:
    return raw[part] if isinstance(raw, list) and isinstance(part, int) and part < len(raw) else None


def _shown(raw: Any, fields: Sequence[int | str]) -> str:
    for field in fields:
        raw = raw.get(field) if isinstance(raw, dict) else _item(raw, field)
    return "it" if isinstance(raw, dict | list) or raw is None else repr(raw)


def _did_you_mean(loc: Sequence[int | str]) -> str:
    names = {name for section in _sections(Pipeline) for name in section}
    close = difflib.get_close_matches(str(loc[-1]), sorted(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else "; see `headrace schema`"


def _sections(model: Any) -> Iterator[Sequence[str]]:
    shape = model.model_json_schema()
    for section in (shape, *shape.get("$defs", {}).values()):
        yield list(section.get("properties", {}))


def _dotted(fields: Sequence[int | str]) -> str:
    text = "".join(f"[{field}]" if isinstance(field, int) else f".{field}" for field in fields)
    return text.lstrip(".") or "the file"
