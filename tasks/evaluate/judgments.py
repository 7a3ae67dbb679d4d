"""Queries, and what answers them, in the layouts of BEIR and TREC."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tasks.errors import ConfigError
from tasks.records import DocumentId

File = str | Path


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

    `made` says of what they were made, where no person has judged them.
    """

    queries: Sequence[Judged]
    unknown: Sequence[str]
    made: str = ""


def read_judgments(queries: File, qrels: File, spans: File | None, documents: Iterable[DocumentId]) -> Judgments:
    """Queries as JSONL (`_id`, `text`) or as lines of id and text; judgments as TSV or in TREC's four columns.

    A document is named by its path, by its name without its suffix, or by its id here. ConfigError says in which line
    something is wrong.
    """
    names, queries, qrels = _names(documents), Path(queries), Path(qrels)
    grades: dict[str, dict[DocumentId, int]] = {}
    unknown: dict[str, None] = {}
    for query, name, grade in _qrels(qrels):
        document = names.get(name)
        if document is None:
            unknown[name] = None
        elif grade > 0:
            grades.setdefault(query, {})[document] = grade
    places: dict[str, list[Span]] = {}
    for query, name, start, end in _spans(Path(spans)) if spans else ():
        if document := names.get(name):
            places.setdefault(query, []).append(Span(document, start, end))
    judged = [
        Judged(query, text, grades[query], tuple(places.get(query, ())))
        for query, text in _queries(queries)
        if query in grades
    ]
    if not judged:
        raise ConfigError(
            f"no query of {queries} has a judgment in {qrels} of a document that is in the index; expected the same"
            " ids of queries in both, and documents named by path, by name without suffix, or by id"
        )
    return Judgments(judged, tuple(unknown))


def _names(documents: Iterable[DocumentId]) -> dict[str, DocumentId]:
    """Every name by which a document may go, where no other has the same."""
    names: dict[str, DocumentId | None] = {}
    for document in documents:
        path = document.partition(":")[2]
        for name in {document, path, path.rpartition(".")[0], PurePosixPath(path).name, PurePosixPath(path).stem}:
            names[name] = None if name in names and name not in (document, path) else document
    return {name: document for name, document in names.items() if document is not None}


def _queries(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in numbered_lines(path):
        try:
            if line.startswith("{"):
                shape = json.loads(line)
                yield str(shape["_id"]), str(shape["text"])
            else:
                name, text = line.split(None, 1)
                yield name, text
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f'{path}, line {number}: {line[:80]!r}; expected {{"_id": …, "text": …}}, or an id and a text'
            ) from error


def _qrels(path: Path) -> Iterator[tuple[str, str, int]]:
    """Query, document and grade."""
    for columns in _rows(path, "query, document and a whole number as grade", 3):
        yield columns[0], columns[-2], int(columns[-1])


def _spans(path: Path) -> Iterator[tuple[str, str, int, int]]:
    for query, document, start, end in _rows(path, "query, document, start and end as whole numbers", 4):
        yield query, document, int(start), int(end)


def _rows(path: Path, expected: str, columns: int) -> Iterator[Sequence[str]]:
    """Lines in columns, without the line that names them; the last column is a number."""
    for number, line in numbered_lines(path):
        cells = next(csv.reader([line], delimiter="\t")) if "\t" in line else line.split()
        if number == 1 and not cells[-1].lstrip("-").isdecimal():
            continue
        is_trec = columns == 3 and len(cells) == 4
        if (len(cells) != columns and not is_trec) or not cells[-1].lstrip("-").isdecimal():
            raise ConfigError(f"{path}, line {number}: {line[:80]!r}; expected {expected}")
        yield cells


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, from 1 on; ConfigError for a file that cannot be read.

    Only line feeds part them: JSON may hold the other separators of lines as they are.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; expected a text file in UTF-8") from error
    yield from ((number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip())
