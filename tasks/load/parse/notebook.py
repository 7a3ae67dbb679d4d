"""Jupyter notebooks as Markdown: cells in order, code in fences, and the outputs that are text."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.errors import DocumentError
from tasks.load.decode import without_unseen
from tasks.load.parse.markdown import parse_markdown
from tasks.load.parse.text import Parsed
from tasks.places import Extent

_NO_WORDS = re.compile(r"<[^<>\n]*>\s*")  # `<Figure size 640x480>`: what Python says of a picture
_TICKS = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)
_TEXTS = ("text/markdown", "text/plain", "text/latex")


def parse_notebook(name: str, content: bytes) -> Parsed:
    """The notebook's `title`, or its first heading; DocumentError for JSON that is none."""
    try:
        book = json.loads(content)
        cells = book["cells"] if "cells" in book else [cell for sheet in book["worksheets"] for cell in sheet["cells"]]
        metadata = _mapping(book.get("metadata"))
        language = _mapping(metadata.get("language_info")).get("name") or _mapping(metadata.get("kernelspec")).get(
            "language"
        )
        reader = _Reader(str(language or "python"))
        text = "\n\n".join(part for cell in cells for part in reader.parts(_mapping(cell)) if part.strip())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"{type(error).__name__}: {error}"[:200]
        raise DocumentError(
            "corrupt", f"{name} is no Jupyter notebook ({cause}); save it again, or exclude it"
        ) from error
    page = parse_markdown(text + "\n" if text else "")
    title = metadata.get("title")
    return page._replace(
        title=title if isinstance(title, str) and title else page.title, extent=Extent(), remarks=reader.remarks()
    )


class _Reader:
    """Makes Markdown of cells, and counts what is left out."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._pictures = 0
        self._others: dict[str, int] = {}

    def remarks(self) -> tuple[str, ...]:
        """What a reader of the notebook sees and its text lacks."""
        pictures = f"{self._pictures} {'picture in it is' if self._pictures == 1 else 'pictures in it are'} not read"
        others = ", ".join(f"{count} of {kind}" for kind, count in sorted(self._others.items()))
        return (*([pictures] if self._pictures else []), *([f"outputs are not read: {others}"] if others else []))

    def parts(self, cell: Mapping[str, Any]) -> Iterator[str]:
        """The cell, then its outputs."""
        kind, source = cell.get("cell_type"), _joined(cell.get("source", cell.get("input", "")))
        self._pictures += len(_mapping(cell.get("attachments")))
        if kind == "code":
            yield _fenced(source, str(cell.get("language") or self._language))
            for output in cell.get("outputs") or ():
                yield self._output(_mapping(output))
        elif kind == "heading":
            yield f"{'#' * max(1, min(6, int(cell.get('level', 1))))} {' '.join(source.split())}"
        else:
            yield source

    def _output(self, output: Mapping[str, Any]) -> str:
        kind = output.get("output_type")
        if kind == "stream":
            return _fenced(_joined(output.get("text", "")), "text")
        if kind in ("error", "pyerr"):
            return _fenced(f"{output.get('ename', '')}: {output.get('evalue', '')}", "text")
        data = _mapping(output.get("data"))
        data = data or {_EARLIER.get(key, key): value for key, value in output.items() if key in _EARLIER}
        pictures = [key for key in data if key.startswith("image/")]
        self._pictures += bool(pictures)
        for form in _TEXTS:
            text = _joined(data.get(form, ""))
            if text.strip() and not (form == "text/plain" and len(data) > 1 and _NO_WORDS.fullmatch(text)):
                return text if form == "text/markdown" else _fenced(text, "text")
        if "text/html" in data:
            from tasks.load.parse.html import html_to_markdown

            return html_to_markdown(_joined(data["text/html"])).text
        for key in data if not pictures else ():
            self._others[key] = self._others.get(key, 0) + (key not in _TEXTS)
        return ""


_EARLIER = {"text": "text/plain", "html": "text/html", "png": "image/png", "jpeg": "image/jpeg", "svg": "image/svg",
            "latex": "text/latex", "markdown": "text/markdown"}  # fmt: skip


def _fenced(text: str, language: str) -> str:
    text = without_unseen(text).strip("\n")
    if not text.strip():
        return ""
    ticks = "`" * max([3, *(len(row[1]) + 1 for row in _TICKS.finditer(text))])
    return f"{ticks}{language}\n{text}\n{ticks}"


def _joined(lines: object) -> str:
    return "".join(map(str, lines)) if isinstance(lines, list) else str(lines)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
