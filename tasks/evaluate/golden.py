"""Questions that a corpus asks of itself: what its authors wrote in few words above, or beside, the words that answer.

They are synthetic: a title shares words with its text. Fit to compare, and to train with; not to say how good a search
is.
"""

import ast
import posixpath
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple
from urllib.parse import unquote

from tasks.chunk.definitions import find_definitions
from tasks.evaluate.judgments import Span
from tasks.markdown import find_headings
from tasks.places import Heading
from tasks.records import Document
from tasks.titles import LONGEST, plain_title

LEAST_BODY = 80  # characters that a title stands above
_SHARE = 2  # a first line is a title where the text below is so many times as long
_LINK = re.compile(r"(?<!!)\[([^\[\]\n]{4,300})\]\(<?([^()<>\s#]{0,500})(?:#([^()<>\s]{1,300}))?>?\)")
_MARKS = re.compile(r"[\W_]+")
_COMMENT = re.compile(r"[ \t]*(?:/\*\*|///?!?|\*/?|#+!?|--+)[ \t]?([^\n]*)")
_SENTENCE = re.compile(r"[.!?](?=\s|\Z)|\n[ \t]*\n|\Z")
_EMPTY = {
    "about", "above", "and", "are", "below", "click", "details", "docs", "documentation", "example", "examples", "for",
    "from", "guide", "here", "how", "in", "information", "introduction", "link", "more", "note", "notes", "of", "on",
    "overview", "page", "read", "section", "see", "source", "the", "this", "to", "usage", "use",
}  # fmt: skip

Kind = Literal["title", "heading", "docstring", "link"]
_Described = tuple[tuple[int, int], tuple[int, int], str]  # where a definition and its words are, and these


class Pair(NamedTuple):
    """A question, and the characters that answer it; `hidden` are those of the question, where it stands there too."""

    query: str
    span: Span
    kind: Kind
    hidden: tuple[int, int] = (0, 0)

    def passage(self, text: str) -> str:
        """What answers, out of the document's text, without the question's own words."""
        start, end, (first, last) = self.span.start, self.span.end, self.hidden
        if first >= end or last <= start:
            return text[start:end].strip()
        return f"{text[start:first].rstrip()}\n{text[last:end].lstrip()}".strip()


def mine(documents: Sequence[Document]) -> list[Pair]:
    """Titles and headings with what stands below them, docstrings with their functions, words of links with the target.

    A question that several places answer is none: it is left out, whatever its case and punctuation.
    """
    by_path = {(document.ref.source, document.ref.path): document for document in documents}
    pairs = [pair for document in documents for pair in _pairs(document, by_path) if _says_something(pair.query)]
    unlike = {(normal(pair.query), pair.span): pair for pair in reversed(pairs)}
    places = Counter(query for query, _ in unlike)
    return [pair for (query, _), pair in reversed(unlike.items()) if places[query] == 1]


def normal(query: str) -> str:
    """Equal for questions that differ in case, white space and punctuation alone."""
    return " ".join(_MARKS.sub(" ", query.casefold()).split())


def _says_something(query: str) -> bool:
    """Two words beyond those that stand everywhere; a script without spaces needs four letters."""
    words = normal(query).split()
    telling = [word for word in words if word not in _EMPTY and not word.isdigit()]
    return len(query) <= LONGEST and (
        (len(words) > 1 and bool(telling)) or any(len(word) > 3 and not word.isascii() for word in telling)
    )


def _pairs(document: Document, by_path: Mapping[tuple[str, str], Document]) -> Iterator[Pair]:
    if document.image:
        return
    if document.format == "code":
        yield from _docstrings(document)
        return
    headings = _headings(document)
    if not headings:
        yield from _first_line(document)
    for number, heading in enumerate(headings):
        below = (one.start for one in headings[number + 1 :] if one.level <= heading.level)
        end = next(below, len(document.text))
        kind: Kind = "heading" if number else "title"
        yield from _above(document, heading.title, (heading.start, heading.end), end, kind)
    if document.format == "markdown":
        yield from _links(document, by_path)


def _headings(document: Document) -> Sequence[Heading]:
    if document.headings is not None:
        return document.headings
    return [*find_headings(document.text)] if document.format == "markdown" else ()


def _first_line(document: Document) -> Iterator[Pair]:
    """The first paragraph of a text without headings, where it is short and others follow."""
    first, blank, rest = document.text.partition("\n\n")
    title = " ".join(first.split())
    if blank and title and len(rest) >= _SHARE * len(title):
        yield from _above(document, title, (0, len(first)), len(document.text), "title")


def _above(document: Document, title: str, hidden: tuple[int, int], end: int, kind: Kind) -> Iterator[Pair]:
    start = hidden[1]
    if title and len(document.text[start:end].strip()) >= LEAST_BODY:
        yield Pair(title, Span(document.ref.id, start, end), kind, hidden)


def _docstrings(document: Document) -> Iterator[Pair]:
    strings = _python_docstrings(document.text) if document.language in (".py", ".pyi") else None
    for (start, end), hidden, words in [*_comments(document)] if strings is None else strings:
        sentence = " ".join(_SENTENCE.split(words, 1)[0].split())
        if end - start - (hidden[1] - hidden[0]) >= LEAST_BODY:
            yield Pair(sentence, Span(document.ref.id, start, end), "docstring", hidden)


def _python_docstrings(text: str) -> list[_Described] | None:
    """Those of Python's own grammar; None for what is no Python of today."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def place(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode(errors="ignore"))

    found: list[_Described] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            words, first = ast.get_docstring(node), node.body[0]
            if words:
                inner = (place(first.lineno, first.col_offset), place(first.end_lineno or 0, first.end_col_offset or 0))
                outer = (place(node.lineno, node.col_offset), place(node.end_lineno or 0, node.end_col_offset or 0))
                found.append((outer, inner, words))
    return found


def _comments(document: Document) -> Iterator[_Described]:
    """The lines of comment right above a definition, in whatever language."""
    text = document.text
    for one in find_definitions(document).all:
        at, words = one.start, list[str]()
        while at < one.end and (line := _COMMENT.match(text, at)):
            words.append(line[1].strip("*/ \t"))
            at = line.end() + 1
        if words:
            yield (one.start, one.end), (one.start, min(at, one.end)), "\n".join(words).strip()


def _links(document: Document, by_path: Mapping[tuple[str, str], Document]) -> Iterator[Pair]:
    for words, path, anchor in _LINK.findall(document.text):
        target = _target(document, unquote(path), by_path)
        if target is None or target is document or target.image:
            continue
        start, end = _section(target, anchor) if anchor else (0, len(target.text))
        if end - start >= LEAST_BODY:
            yield Pair(plain_title(words), Span(target.ref.id, start, end), "link")


def _target(document: Document, path: str, by_path: Mapping[tuple[str, str], Document]) -> Document | None:
    """The document that a link leads to; the suffix may be missing, as may a folder's first page."""
    if not path or ":" in path:
        return None
    here = posixpath.dirname(document.ref.path)
    aim = posixpath.normpath(posixpath.join(here, path)) if path[0] != "/" else path.strip("/")
    names: Iterable[str] = (aim, f"{aim}.md", f"{aim}/index.md", f"{aim}/README.md")
    return next((by_path[document.ref.source, name] for name in names if (document.ref.source, name) in by_path), None)


def _section(document: Document, anchor: str) -> tuple[int, int]:
    """From below the heading that an anchor names to the next one of its level; nothing where none has the name."""
    headings, wanted = _headings(document), normal(unquote(anchor))
    for number, one in enumerate(headings):
        if normal(one.title) == wanted:
            after = (other.start for other in headings[number + 1 :] if other.level <= one.level)
            return one.end, next(after, len(document.text))
    return 0, 0
