"""JSON as lines of `path: value`, a paragraph for each record.

A search is for values and for the names above them; braces and quotes are no words, and the nesting that they show is
far away in another chunk. So each line says its whole path, and stands alone.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tasks.errors import DocumentError
from tasks.load.parse.text import Parsed
from tasks.places import Extent

MOST_INLINE = 200  # characters of a list of plain values that stand in one line
_Pairs = list[tuple[str, Any]]  # an object, whose names may stand twice


class _Object(_Pairs):
    """Told from a list by its class."""


def parse_json(name: str, content: bytes) -> Parsed:
    """Numbers stay as they are written. What is no JSON, such as one with comments, is kept as it is, with a remark."""
    text = content.decode()
    try:
        value = _loaded(text)
    except RecursionError:
        raise DocumentError("too-deep", f"{name} is nested too deeply to be read; exclude it") from None
    except ValueError as error:
        return Parsed(text, extent=Extent(line=1), remarks=(f"it is no valid JSON ({error}), and kept as it is",))
    title = next((str(one) for key, one in value if key == "title"), "") if isinstance(value, _Object) else ""
    lines = "".join(_lines(value, "")).strip("\n")
    return Parsed(lines + "\n" * bool(lines), title)


def parse_json_lines(name: str, content: bytes) -> Parsed:
    """A record in each line; a line that is none stays as it is, with a remark."""
    parts: list[str] = []
    wrong: list[int] = []
    for number, line in enumerate(content.decode().split("\n"), 1):
        if not line.strip():
            continue
        try:
            parts.append("".join(_lines(_loaded(line), "")).strip("\n"))
        except RecursionError:
            raise DocumentError("too-deep", f"{name} is nested too deeply to be read; exclude it") from None
        except ValueError:
            wrong.append(number)
            parts.append(line.strip())
    remark = (
        f"{len(wrong)} {'line is' if len(wrong) == 1 else 'lines are'} no valid JSON, the first is line {wrong[0]}"
        if wrong
        else ""
    )
    return Parsed("\n\n".join(parts) + "\n" * bool(parts), remarks=(remark,) if remark else ())


def _loaded(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_Object, strict=False)


def _lines(value: object, path: str) -> Iterator[str]:
    if isinstance(value, _Object):
        for key, inner in value:
            yield from _lines(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        yield from _items(value, path)
    else:
        shown = value if isinstance(value, str) else json.dumps(value)
        yield f"{path}:{chr(10) if chr(10) in shown else ' '}{shown}\n" if path else f"{shown}\n"


def _items(values: Sequence[object], path: str) -> Iterator[str]:
    """Plain values in one line; of others each is a paragraph, by its number from 0 on as programs count."""
    if not any(isinstance(one, list) for one in values):
        inline = ", ".join(one if isinstance(one, str) else json.dumps(one) for one in values)
        if len(inline) <= MOST_INLINE and "\n" not in inline:
            yield f"{path}: {inline}\n" if path else f"{inline}\n"
            return
    for number, one in enumerate(values):
        yield "\n" if isinstance(one, list) else ""
        yield from _lines(one, f"{path}[{number}]" if path else "")
