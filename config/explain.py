"""What is wrong with a configuration, one line for each setting, sorted as they stand in the file."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.environment import Environment
from config.pipeline import Pipeline
from config.yaml_file import Fields, YamlFile, YamlValue

_Shape = Mapping[str, Any]  # a part of the JSON Schema
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_type": "text, in quotes",
    "too_short": "at least {min_length}",
    "tuple_type": "a list",
}
_LONGEST_SHOWN = 80


def explain(error: ValidationError, file: YamlFile, environment: Environment) -> str:
    """`file.yaml:LINE: field.path: what was given; what was expected`, and never a value from the environment."""
    problems = error.errors(include_url=False)
    lines = {
        _explain(problem, file, environment): file.line(_walk(problem["loc"])[0])
        for problem in problems
        if not _follows_from_another(problem, problems)
    }
    return "\n".join(sorted(lines, key=lines.__getitem__))


def _follows_from_another(problem: ErrorDetails, problems: Sequence[ErrorDetails]) -> bool:
    """Pydantic also calls a list too short whose only item it has just refused."""
    depth = len(problem["loc"])
    inside = (other for other in problems if len(other["loc"]) > depth and other["loc"][:depth] == problem["loc"])
    return problem["type"] == "too_short" and any(inside)


def _explain(problem: ErrorDetails, file: YamlFile, environment: Environment) -> str:
    fields, shape = _walk(problem["loc"])
    if problem["type"].startswith("union_tag"):
        fields = (*fields, "kind")
    given = "a secret" if _is_secret(shape) else _shown(file.at(fields))
    match problem["type"]:
        case "extra_forbidden":
            text = f"unknown setting; {_one_of(_settings(problem['loc'][:-1]), fields[-1])}"
        case "invalid_key":
            text = "this key is no text; expected names of settings"
        case "missing":
            text = f"missing; expected: {shape.get('description', 'a value')}"
        case "union_tag_not_found":
            text = f"missing; {_one_of(_kinds(shape))}"
        case "union_tag_invalid":
            text = f"{given}; {_one_of(_kinds(shape), given)}"
        case "value_error":
            text = environment.hide(problem["msg"].removeprefix("Value error, "))
        case _:
            text = f"{given}; expected {_expected(problem)}"
    return f"{file.place(fields)}: {text}"


def _walk(loc: Fields) -> tuple[tuple[int | str, ...], _Shape]:
    """The settings of a pydantic path, without the tags that unions put into it, and the schema found there."""
    whole = Pipeline.model_json_schema()
    fields: list[int | str] = []
    shape: _Shape = whole
    for part in loc:
        options = [option for option in shape.get("anyOf", ()) if option.get("type") != "null"]
        if len(options) == 1:
            shape = _resolved(options[0], whole)
        if "discriminator" in shape:
            shape = {"$ref": shape["discriminator"]["mapping"].get(part, "")}
        elif len(options) > 1:  # the name that pydantic gives to one of several types
            shape = {}
        else:
            fields.append(part)
            shape = shape.get("items", {}) if isinstance(part, int) else shape.get("properties", {}).get(part, {})
        shape = _resolved(shape, whole)
    return tuple(fields), shape


def _resolved(shape: _Shape, whole: _Shape) -> _Shape:
    return {**whole["$defs"].get(shape.get("$ref", "").rpartition("/")[2], {}), **shape}


def _settings(loc: Fields) -> Sequence[str]:
    """The settings of a section; first those that say most of it."""
    shape = _walk(loc)[1]
    sections = [_resolved(option, Pipeline.model_json_schema()) for option in (shape, *shape.get("anyOf", ()))]
    names = [name for section in sections for name in section.get("properties", ())]
    return sorted(names, key=lambda name: (name != "kind", name not in {"path", "model"}))


def _kinds(shape: _Shape) -> Sequence[str]:
    return list(shape.get("discriminator", {}).get("mapping", {}))


def _one_of(known: Sequence[str], given: object = "") -> str:
    close = difflib.get_close_matches(str(given).strip('"'), known, n=1)
    return f"expected one of {', '.join(known)}" + (f"; did you mean {close[0]}?" if close else "")


def _expected(problem: ErrorDetails) -> str:
    known = _EXPECTED.get(problem["type"])
    return known.format(**problem.get("ctx", {})) if known else problem["msg"].removeprefix("Input should be ")


def _is_secret(shape: _Shape) -> bool:
    return any(option.get("writeOnly") for option in (shape, *shape.get("anyOf", ())))


def _shown(value: YamlValue) -> str:
    """The value as the file says it: a variable by its name."""
    if value and isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a mapping"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
