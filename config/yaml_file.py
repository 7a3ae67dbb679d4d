"""A configuration file as it is written: its values, and the line each of them stands on."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import yaml

from config.errors import ConfigError
from config.nearby import other_than

YamlValue: TypeAlias = "dict[str, YamlValue] | list[YamlValue] | str | float | None"
Fields: TypeAlias = Sequence[int | str]

EXPECTED = "expected a mapping with name, sources, embedder and store"


@dataclass(frozen=True)
class YamlFile:
    """`content` still has its variables; `root` keeps the line numbers that `content` has lost."""

    path: Path
    content: dict[str, YamlValue]
    root: yaml.Node

    def line(self, fields: Fields) -> int:
        """Line of the setting's key, counted from 1; of the nearest section above it where it does not stand."""
        node, line = self.root, self.root.start_mark.line
        for field in fields:
            child = _child(node, field)
            if child is None:
                break
            key, node = child
            line = key.start_mark.line
        return line + 1

    def at(self, fields: Fields) -> YamlValue:
        """What is written there; None where nothing is."""
        value: YamlValue = self.content
        for field in fields:
            match value, field:
                case dict(), str():
                    value = value.get(field)
                case list(), int() if field < len(value):
                    value = value[field]
                case _:
                    return None
        return value

    def place(self, fields: Fields) -> str:
        """`file.yaml:LINE: field.path`, how every message about a setting begins."""
        return ": ".join(filter(None, (f"{self.path}:{self.line(fields)}", dotted(fields))))


def dotted(fields: Fields) -> str:
    """`sources[0].path`; nothing for the file as a whole."""
    text = "".join(f"[{field}]" if isinstance(field, int) else f".{field}" for field in fields)
    return text.removeprefix(".")


def read_yaml(path: Path) -> YamlFile:
    """One mapping in UTF-8 whose keys are all different; a ConfigError with line and column where it is not."""
    text = _text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = cast("YamlValue", yaml.safe_load(text))
        repeated = next(_repeated_keys(root), None) if root else None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_explain(path, error)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.reason}") from error
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply, or contains itself; {EXPECTED}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}; put text that looks like a date into quotes") from error
    if root is None:
        raise ConfigError(f"{path} is empty; {EXPECTED}, as `headrace init` writes one")
    if not isinstance(content, dict):
        raise ConfigError(f"{path}:{root.start_mark.line + 1}: this is {_noun(content)}; {EXPECTED}")
    if repeated:
        line = repeated.start_mark.line + 1
        raise ConfigError(f"{path}:{line}: the key {repeated.value!r} stands here a second time; keep one")
    return YamlFile(path, content, root)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; {other_than(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; expected a YAML file, {other_than(path)}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; expected a readable YAML file") from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; save it as UTF-8") from error


def _noun(content: YamlValue) -> str:
    return "a list" if isinstance(content, list) else "a single value"


def _explain(path: Path, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    remedy = "; indent with spaces, never with tabs" if "'\\t'" in reason else ""
    if path.suffix not in (".yaml", ".yml"):
        remedy = f"; expected the YAML file of a pipeline, {other_than(path)}"
    return f"{place}: not valid YAML: {reason}{remedy}"


def _child(node: yaml.Node, field: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """The node at which the child begins (its key, or the item itself), and the child."""
    if isinstance(node, yaml.SequenceNode) and isinstance(field, int):
        return (node.value[field], node.value[field]) if field < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(field)), None)
    return None


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
