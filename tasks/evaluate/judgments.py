"""Queries, and what answers them, in the layouts of BEIR and TREC."""

import csv
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tasks.errors import ConfigError
from tasks.load.decode import normalised
from tasks.records import DocumentId

File = str | Path
_KEYS = (("_id", "id", "query_id", "query-id"), ("text", "query"))  # BEIR's, and those of others
_QUERY = '{"_id": …, "text": …}, or an id and a text'
_NUMBER, _NUMERIC = re.compile(r"-?[0-9]{1,9}(?:\.0{1,9})?"), re.compile(r"[-+.]*[0-9]")


@dataclass(frozen=True, slots=True)
class Span:
    """The characters of a document from `start` to before `end`, which answer a query."""

    document: DocumentId
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One query, the grades of the documents that answer it, and the places of its answers, if they are known."""

    id: str
    text: str
    grades: Mapping[DocumentId, int]
    spans: Sequence[Span] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Judgments:
    """Queries with something that answers them; `unknown` are judged documents that the index has not.

    `unasked` counts queries without a judged document that it has. `made` says of what they were made, where no person
    has judged them.
    """

    queries: Sequence[Judged]
    unknown: Sequence[str]
    made: str = ""
    unasked: int = 0


def read_judgments(queries: File, qrels: File, spans: File | None, documents: Iterable[DocumentId]) -> Judgments:
    """Queries as JSONL (`_id`, `text`) or as lines of id and text; judgments as TSV or in TREC's four columns.

    A document is named by its path, by its name without its suffix, or by its id here. ConfigError says in which line
    something is wrong.
    """
    names, queries, qrels = _names(documents), Path(queries), Path(qrels)
    grades: dict[str, dict[DocumentId, int]] = {}
    unknown: dict[str, None] = {}
    for query, name, grade in _qrels(qrels):
        document = names.get(_plain(name))
        if document is None:
            unknown[name] = None
        elif grade > 0:
            own = grades.setdefault(query, {})
            own[document] = max(grade, own.get(document, 0))
    places: dict[str, list[Span]] = {}
    for query, name, start, end in _spans(Path(spans)) if spans else ():
        if document := names.get(_plain(name)):
            places.setdefault(query, []).append(Span(document, start, end))
    texts = _queries(queries)
    judged = [
        Judged(query, text, grades[query], tuple(places.get(query, ())))
        for query, text in texts.items()
        if query in grades
    ]
    if not judged:
        raise ConfigError(
            f"no query of {queries} has a judgment above 0 in {qrels} of a document that is in the index; expected the"
            " same ids of queries in both, and documents named by path, by name without suffix, or by id"
        )
    return Judgments(judged, tuple(unknown), unasked=len(texts) - len(judged))


def check_files(queries: File, qrels: File, spans: File | None) -> None:
    """ConfigError for what cannot be read of them, whichever documents they judge."""
    _queries(Path(queries))
    for _ in (*_qrels(Path(qrels)), *(_spans(Path(spans)) if spans else ())):
        pass


def _names(documents: Iterable[DocumentId]) -> dict[str, DocumentId]:
    """Every name by which a document may go, where no other has the same; ids and paths come before parts of them."""
    ids, paths, parts = (dict[str, DocumentId | None]() for _ in range(3))
    for document in documents:
        path = document.partition(":")[2]
        short = {path.rpartition(".")[0], PurePosixPath(path).name, PurePosixPath(path).stem}
        for names, own in ((ids, {document}), (paths, {path}), (parts, short)):
            for name in map(_plain, own):
                names[name] = None if name in names else document
    return {name: document for name, document in (parts | paths | ids).items() if document is not None}


def _plain(name: str) -> str:
    """As other systems and programs write it, too."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")


def _queries(path: Path) -> dict[str, str]:
    """Text by id; ConfigError for an id that stands for two texts."""
    texts: dict[str, str] = {}
    for number, line in numbered_lines(path):
        try:
            if line.startswith("{"):
                shape = json.loads(line)
                name, text = (next(shape[key] for key in keys if key in shape) for keys in _KEYS)
                if not isinstance(name, str | int) or not isinstance(text, str):
                    raise TypeError
            else:
                name, text = line.split(None, 1)
            name, text = str(name).strip(), normalised(text).strip()
        except (ValueError, TypeError, StopIteration, RuntimeError) as error:
            raise _wrong(path, number, line, _QUERY) from error
        if not text:
            raise _wrong(path, number, line, f"{_QUERY}, with words in the text")
        if texts.setdefault(name, text) != text:
            raise _wrong(path, number, line, f"one text for each id, and {name!r} has another one further up")
    return texts


def _qrels(path: Path) -> Iterator[tuple[str, str, int]]:
    """Query, document and grade."""
    for columns in _rows(path, "query, document and a whole number as grade", (3, 4)):
        yield columns[0], columns[-2], _whole(columns[-1])


def _spans(path: Path) -> Iterator[tuple[str, str, int, int]]:
    for query, document, first, last in _rows(path, "query, document, start and end as whole numbers", (4,)):
        start, end = _whole(first), _whole(last)
        if not 0 <= start < end:
            raise ConfigError(
                f"{path}: {query} {document} {first} {last}; expected a start from 0 on, and an end after it"
            )
        yield query, document, start, end


def _rows(path: Path, expected: str, counts: Sequence[int]) -> Iterator[Sequence[str]]:
    """Lines of so many columns, without one at the beginning that names them; the last column is a whole number."""
    is_first = True
    for number, line in numbered_lines(path):
        cells = next(csv.reader([line], delimiter="\t")) if "\t" in line else line.split()
        cells = [cell.strip() for cell in cells]
        numbers = cells[-1:] if counts == (3, 4) else cells[-2:]
        is_title, is_first = is_first and not any(map(_NUMERIC.match, cells)), False
        if is_title:
            continue
        if len(cells) not in counts or not all(map(_NUMBER.fullmatch, numbers)):
            raise _wrong(path, number, line, expected)
        yield cells


def _whole(cell: str) -> int:
    """Other programs write 2 as 2.0."""
    return int(cell.partition(".")[0])


def _wrong(path: Path, number: int, line: str, expected: str) -> ConfigError:
    return ConfigError(f"{path}, line {number}: {line[:80]!r}; expected {expected}")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, from 1 on; ConfigError for a file that cannot be read.

    Only line feeds part them: JSON may hold the other separators of lines as they are.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; expected a text file in UTF-8") from error
    yield from ((number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip())
