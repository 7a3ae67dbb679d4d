"""Queries with known answers, made from the documents themselves where nobody has judged any.

A heading asks for its section, the first sentence of a docstring for its function, the text of a link for the document
that it leads to. What became a query is taken out of the text before that is embedded: found again word for word, it
would say nothing. Such queries are easier than people's, so whatever is measured with them is called synthetic.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import unquote

from tasks.chunk.definitions import find_definitions
from tasks.errors import ConfigError, DocumentError
from tasks.evaluate.judgments import Judged, Judgments, Span
from tasks.load.base import Source
from tasks.markdown import find_headings
from tasks.places import Heading
from tasks.records import Document, DocumentId, DocumentRef, Listing

LEAST_WORDS = 2  # of a query, and of a sentence twice as many
LEAST_BODY = 80  # characters that answer it
LONGEST_QUERY = 200
_DOCSTRING = re.compile(r'\s*[rRuU]?("""|\'\'\')(.{1,2000}?)\1', re.DOTALL)
_COMMENT = re.compile(r"\s*(?:/\*\*?([^*]{1,2000})\*/|((?:[ \t]*(?://[/!]?|#)[^\n]*\n){1,20}))")
_MARKS = re.compile(r"^[ \t]*(?://[/!]?|#+|\*)[ \t]?", re.MULTILINE)
_LINK = re.compile(r"\[([^\[\]\n]{5,200})\]\(([^()\s]{1,300})\)")
_SENTENCE = re.compile(r".{1,200}?(?=[.!?](?:\s|$)|$)")


@dataclass(frozen=True, slots=True)
class Golden:
    """`span` answers the query, the whole `document` where it is None; the query itself stands at `cut`, or nowhere."""

    kind: str
    query: str
    document: DocumentId
    span: Span | None
    cut: Span

    def passage(self, document: Document) -> str:
        """What answers, out of the text of its document, without the query itself."""
        text, before = document.text, document.extent.offset
        start, end = (self.span.start - before, self.span.end - before) if self.span else (0, len(text))
        if self.cut.document == document.ref.id and start <= self.cut.start < end:
            return f"{text[start : self.cut.start].rstrip()}\n{text[self.cut.end : end].lstrip()}".strip()
        return text[start:end].strip()


def read_documents(sources: Iterable[Source]) -> Iterator[Document]:
    """All that can be read."""
    for source in sources:
        for ref in source.list().refs:
            try:
                yield source.read(ref)
            except DocumentError:
                continue


def golden_pairs(documents: Iterable[Document], *, titles: bool = False) -> list[Golden]:
    """All that the documents have, in a fixed order; what several places share as their title asks for none of them.

    With `titles` those of whole documents too: fit to train with, but they stand in each record of a searched index.
    """
    all_documents = list(documents)
    known = {document.ref.id for document in all_documents}
    pairs = [pair for document in all_documents for pair in _pairs(document, titles) if pair.document in known]
    asked = Counter((query, place) for query, place in {(pair.query.lower(), _target(pair)) for pair in pairs})
    places = Counter(query for query, _ in asked)
    once = {pair.query.lower(): pair for pair in reversed(pairs) if places[pair.query.lower()] == 1}
    ranks: Counter[DocumentId] = Counter()
    ordered = sorted(once.values(), key=lambda pair: (split_place(pair.document), pair.kind, pair.cut.start))
    ranked: list[tuple[int, Golden]] = []
    for pair in ordered:
        ranks[pair.document] += 1
        ranked.append((ranks[pair.document], pair))
    return [pair for _, pair in sorted(ranked, key=lambda one: one[0])]


def split_place(document: DocumentId) -> float:
    """A number from 0 to 1 by which documents are told apart for testing and for training; no order hides in it."""
    return int.from_bytes(hashlib.sha256(document.encode()).digest()[:7]) / 2**56


def bootstrapped(sources: Iterable[Source], most: int) -> "Bootstrap":
    """So many queries, spread over the documents; ConfigError where these have too few titles."""
    pairs = golden_pairs(read_documents(sources))[:most]
    if not pairs:
        raise ConfigError(
            "the documents have no titles of sections, no docstrings and no links to one another, so no queries can be"
            " made of them; give queries with --queries and --qrels"
        )
    return Bootstrap(pairs)


@dataclass(frozen=True)
class Bootstrap:
    """Queries of a corpus' own making."""

    pairs: Sequence[Golden]

    @property
    def judgments(self) -> Judgments:
        """The same as judgments, marked as what they are."""
        kinds = Counter(pair.kind for pair in self.pairs)
        made = ", ".join(f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(kinds.items()))
        queries = [
            Judged(f"{number}", pair.query, {pair.document: 1}, (pair.span,) if pair.span else ())
            for number, pair in enumerate(self.pairs, start=1)
        ]
        return Judgments(queries, (), f"synthetic queries, made from the documents: {made}")

    def without_queries(self, sources: Mapping[str, Source]) -> dict[str, Source]:
        """The same documents, with blanks where the queries stand."""
        cuts: dict[DocumentId, list[Span]] = defaultdict(list)
        for pair in self.pairs:
            if pair.cut.end > pair.cut.start:
                cuts[pair.cut.document].append(pair.cut)
        return {name: _Blanked(source, cuts) for name, source in sources.items()}


class _Blanked:
    def __init__(self, source: Source, cuts: Mapping[DocumentId, Sequence[Span]]) -> None:
        self.name = source.name
        self._source = source
        self._cuts = cuts

    def list(self) -> Listing:
        return self._source.list()

    def read(self, ref: DocumentRef, /) -> Document:
        document = self._source.read(ref)
        text, headings = document.text, document.headings
        for cut in self._cuts.get(ref.id, ()):
            blank = re.sub(r"[^\n]", " ", text[cut.start : cut.end])
            text = text[: cut.start] + blank + text[cut.end :]
            if headings is not None and document.format != "code":
                headings = tuple(one for one in headings if one.start != cut.start)
        return document if text is document.text else replace(document, text=text, headings=headings)


def _pairs(document: Document, titles: bool) -> Iterator[Golden]:
    if document.format == "code":
        yield from _docstrings(document)
        return
    headings = document.headings
    if headings is None and document.format == "markdown":
        headings = tuple(find_headings(document.text))
    if titles and not headings:
        yield from _first_line(document)
    yield from _sections(document, headings or (), titles)
    if document.format == "markdown":
        yield from _links(document)


def _first_line(document: Document) -> Iterator[Golden]:
    """The first paragraph of a text without headings, where it is short and others follow."""
    title, blank, rest = document.text.partition("\n\n")
    if blank and len(title) <= min(LONGEST_QUERY, len(rest) // 2) and len(title.split()) >= LEAST_WORDS:
        yield _golden(document, "title", title, (len(title), len(document.text)), (0, len(title)))


def _sections(document: Document, headings: Sequence[Heading], titles: bool) -> Iterator[Golden]:
    """The title of the document is embedded with each of its chunks, so it is left out."""
    end = Heading(len(document.text), len(document.text), 0, "")
    for number, (one, following) in enumerate(pairwise([*headings, end])):
        is_title = one.title == document.metadata.get("title") or (number == 0 and one.level == 1)
        body = document.text[one.end : following.start].strip()
        if (titles or not is_title) and len(body) >= LEAST_BODY and len(one.title.split()) >= LEAST_WORDS:
            yield _golden(document, "heading", one.title, (one.end, following.start), (one.start, one.end))


def _docstrings(document: Document) -> Iterator[Golden]:
    definitions = find_definitions(document).all
    parents = {one.parent for one in definitions}
    for one in (one for number, one in enumerate(definitions) if number not in parents):  # functions, not classes
        body = document.text[one.start : one.end]
        signature = body.find(one.signature.strip()) if one.signature.strip() else -1
        inner = signature + len(one.signature.strip())
        match = _DOCSTRING.match(body, inner) if signature >= 0 else None
        text = match[2] if match else ""
        if match is None and (match := _COMMENT.match(body)):
            text = _MARKS.sub("", match[1] or match[2])
        sentence = _SENTENCE.match(" ".join(text.split()))
        if match and sentence and len(sentence[0].split()) >= 2 * LEAST_WORDS and len(body) >= LEAST_BODY:
            cut = one.start + match.start(), one.start + match.end()
            yield _golden(document, "docstring", sentence[0], (one.start, one.end), cut)


def _links(document: Document) -> Iterator[Golden]:
    folder = PurePosixPath(document.ref.path).parent
    for match in _LINK.finditer(document.text):
        address = unquote(match[2].partition("#")[0])
        if not address or ":" in address or len(match[1].split()) < LEAST_WORDS:
            continue
        path = address.lstrip("/") if address.startswith("/") else normpath(str(folder / address))
        target = DocumentId(f"{document.ref.source}:{path}")
        if target != document.ref.id:
            cut = Span(document.ref.id, match.start(1), match.end(1))
            yield Golden("link", _plain(match[1]), target, None, cut)


def _golden(document: Document, kind: str, query: str, answer: tuple[int, int], cut: tuple[int, int]) -> Golden:
    """Records count characters from where the text begins in its file."""
    start, end = (place + document.extent.offset for place in answer)
    return Golden(kind, _plain(query), document.ref.id, Span(document.ref.id, start, end), Span(document.ref.id, *cut))


def _plain(text: str) -> str:
    return " ".join(text.split())[:LONGEST_QUERY]


def _target(pair: Golden) -> object:
    return pair.span or pair.document
