"""XML: prose as Markdown, data as lines of `path: value`; nothing it names is opened."""

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from xml.parsers import expat

from tasks.errors import DocumentError
from tasks.load.parse.html import html_to_markdown
from tasks.load.parse.office.blocks import lowered, raised
from tasks.load.parse.table import table
from tasks.load.parse.text import Parsed

DEEPEST = 200
_TITLES = {"title", "article-title", "head", "h1", "h2", "h3", "h4", "h5", "h6"}
_LISTINGS = {"programlisting", "screen", "literallayout", "codeblock", "pre", "listing", "synopsis"}
_ROWS = {"tr", "row"}
_CAPTIONS = {"title", "caption"}
_CELLS = {"td", "th", "entry"}
_PAGES = {"description", "content", "encoded", "summary", "body"}  # of news and exports, which hold HTML as text
_HTML = re.compile(r"<(?:p|div|h[1-6]|ul|ol|br|a|b|strong|em|i|img|table|span|section|article)\b.*>", re.IGNORECASE)
_ROOTS = {"book", "article", "chapter", "section", "topic", "concept", "task", "reference", "dita", "tei", "html"}


class _Element:
    """`parts` are texts and elements, in order."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.parts: list[str | _Element] = []

    @property
    def children(self) -> "list[_Element]":
        return [part for part in self.parts if isinstance(part, _Element)]

    @property
    def is_mixed(self) -> bool:
        """Words beside elements: a paragraph with marks in it."""
        return bool(self.children) and any(isinstance(part, str) and part.strip() for part in self.parts)

    def texts(self) -> Iterator[str]:
        """All of its text, in order; what is raised or lowered has a mark, for `10^6` must not become 106."""
        before = ""
        for part in self.parts:
            form = None if isinstance(part, str) else _script(part)
            if isinstance(part, str):
                before = part
                yield part
            elif form and before[-1:].strip() and (words := "".join(part.texts()).strip()):
                yield form(before, words)
            else:
                yield from part.texts()


def _script(element: _Element) -> Callable[[str, str], str] | None:
    name, look = element.name.lower(), element.attributes.get("rend", "")
    if name in ("sup", "superscript") or look in ("sup", "super", "superscript"):
        return raised
    return lowered if name in ("sub", "subscript", "inf") or look in ("sub", "subscript") else None


def parse_xml(name: str, content: bytes) -> Parsed:
    """Raise DocumentError for entities of its own, the door to bombs and foreign files, and for broken XML."""
    root = _tree(name, content)
    title = next((one for one in _all(root) if one.name.lower() in ("title", "article-title")), None)
    named = " ".join("".join(title.texts()).split()) if title else ""
    is_prose = root.name.lower() in _ROOTS or any(one.is_mixed for one in _all(root))
    text = "\n\n".join(_prose(root, 0)) if is_prose else "".join(_data(root, "")).strip("\n")
    return Parsed(re.sub(r"\n{3,}", "\n\n", text) + "\n" * bool(text), named)


def _tree(name: str, content: bytes) -> _Element:
    top = _Element("", {})
    inside = [top]

    def refuse(*_declaration: object) -> None:
        raise DocumentError("unsafe-xml", f"{name} declares entities in its DOCTYPE, which may be bombs; exclude it")

    def skip(entity: str, is_parameter: bool) -> None:
        if not is_parameter:  # one of a document type that is not read, such as &mdash;
            inside[-1].parts.append(html.unescape(f"&{entity};"))

    def start(element: str, attributes: dict[str, str]) -> None:
        if len(inside) > DEEPEST:
            raise DocumentError("too-deep", f"{name} is nested too deeply to be read; exclude it")
        inside.append(_Element(element.rpartition(":")[2], attributes))
        inside[-2].parts.append(inside[-1])

    def end(_element: str) -> None:
        inside.pop()

    parser = expat.ParserCreate("utf-8")  # whatever it declares: it was read by that already
    parser.buffer_text = True
    parser.EntityDeclHandler = refuse
    parser.SkippedEntityHandler = skip
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: inside[-1].parts.append(text)
    try:
        parser.Parse(content.lstrip(), True)
    except expat.ExpatError as error:
        raise DocumentError("corrupt", f"{name} is no well-formed XML ({error}); repair or exclude it") from error
    return top.children[0]


def _all(element: _Element) -> Iterator[_Element]:
    yield element
    for child in element.children:
        yield from _all(child)


def _prose(element: _Element, depth: int) -> Iterator[str]:
    """A part for each paragraph; an element whose words stand beside others is one, and so is one without any."""
    name = element.name.lower()
    words = "".join(element.texts())
    if not words.strip():
        return
    if name in _LISTINGS:
        yield "```\n" + words.strip("\n") + "\n```"
    elif name in ("table", "informaltable", "tgroup") and (rows := [*_rows(element)]):
        yield from (" ".join("".join(one.texts()).split()) for one in element.children if one.name.lower() in _CAPTIONS)
        yield "\n".join(table(rows))
    elif name in _TITLES and element.parts:
        yield f"{'#' * max(1, min(6, depth))} {' '.join(words.split())}"
    elif element.is_mixed or not element.children:
        yield " ".join(words.split())
    else:
        deeper = any(child.name.lower() in _TITLES for child in element.children)
        for child in element.children:
            yield from _prose(child, depth + deeper)


def _rows(element: _Element) -> Iterator[list[str]]:
    for child in element.children:
        if child.name.lower() not in _ROWS:
            yield from _rows(child)
        elif cells := [one for one in child.children if one.name.lower() in _CELLS]:
            yield [" ".join(" ".join(_prose(cell, 0)).split()) for cell in cells]


def _data(element: _Element, above: str) -> Iterator[str]:
    """Elements that stand several times side by side are records, each a paragraph."""
    path = f"{above}.{element.name}" if above else element.name
    for key, value in element.attributes.items():
        yield f"{path}@{key}: {value}\n"
    text = "".join(part for part in element.parts if isinstance(part, str))
    words = " ".join(text.split())
    if element.name.lower() in _PAGES and _HTML.fullmatch(words):
        yield f"{path}:\n{html_to_markdown(text).text}"
    elif words:
        yield f"{path}: {words}\n"
    times = Counter(child.name for child in element.children)
    for child in element.children:
        yield "\n" if times[child.name] > 1 and child.children else ""
        yield from _data(child, path)
