"""Full-text search by SQLite's own index, in a file beside the ledger, or by PostgreSQL's, where the ledger is there.

Measured with 50,000 chunks of 120 words in SQLite: 0.2 ms to add one, and 10 to 40 ms for a question. Rows change in
transactions, as they do not in the libraries that answer faster.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from config.fields import Language
from tasks.database.address import sqlite_path
from tasks.database.connection import Connection
from tasks.database.database import Database, Transaction
from tasks.database.migrations import Layout
from tasks.errors import ServiceError
from tasks.records import Hit, Payload, PointId, Sentinel
from tasks.upsert.marks import read_mark
from tasks.upsert.words.tokens import configuration_of, expression, spaced

if TYPE_CHECKING:
    from psycopg.sql import Composed

_FORM = 1  # of the words: another one is a new index
_DAMAGE = ("malformed", "not a database", "no such table", "vtable constructor failed", "permission denied")
_LETTERS = "unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
_BEST = (
    "SELECT id, -score, payload FROM (SELECT rowid AS at, bm25(words) AS score FROM words WHERE words MATCH ?"
    " ORDER BY rank LIMIT ?) JOIN record ON n = at ORDER BY score, id"
)


def m001_tables(connection: Connection) -> None:
    """Makes the tables; `made` says how words are cut, and of which run they are: NULL where it is not whole."""
    number = "INTEGER PRIMARY KEY" if connection.binary == "BLOB" else "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    connection.execute(f"CREATE TABLE record (n {number}, id VARCHAR NOT NULL UNIQUE, payload VARCHAR NOT NULL)", ())
    connection.execute("CREATE TABLE made (form VARCHAR NOT NULL, mark VARCHAR)", ())
    connection.execute("CREATE TABLE words (text VARCHAR)", ())


WORDS = Layout("index of words", (m001_tables,))


class DamagedWordsError(ServiceError):
    """The index cannot be read, and nothing but the index is lost."""


class WordIndex:
    """Records by their words, scored by BM25."""

    def __init__(self, url: str, language: Language, schema: str = "", *, read_only: bool = False) -> None:
        """Opened when it is needed. `schema` is PostgreSQL's; SQLite stems words in English alone."""
        self._open = partial(Database, url, WORDS, schema, read_only=read_only)
        self._file = None if read_only else sqlite_path(url)
        self._language: Language = language
        self._form = f"{_FORM} {language}"

    @cached_property
    def _database(self) -> Database:
        try:
            with _damage_told():
                return self._open()
        except DamagedWordsError:
            if self._file is None:
                raise
            self._file.unlink()
            return self._open()

    def reset(self) -> None:
        """Throw away a damaged file."""
        self._database.remove()
        del self._database

    def mark(self) -> Sentinel | None:
        """The mark of the run that it belongs to; None where it is not whole, or cuts words otherwise."""
        with _damage_told(), self._database.read() as transaction:
            row = transaction.execute("SELECT form, mark FROM made").one_or_none()
        return read_mark(json.loads(row[1])) if row and row[0] == self._form and row[1] else None

    def begin(self) -> None:
        """It is not whole from now on; emptied where words were cut otherwise."""
        with _damage_told(), self._database.write() as transaction:
            row = transaction.execute("SELECT form FROM made").one_or_none()
            transaction.execute("DELETE FROM made")
            transaction.execute("INSERT INTO made (form) VALUES (?)", (self._form,))
            if row is None or row[0] != self._form:
                transaction.execute("DELETE FROM record")
                transaction.execute("DROP TABLE words")
                for sql in self._tables():
                    transaction.execute(sql)

    def finish(self, mark: Sentinel) -> None:
        """It is whole, and belongs to that run."""
        with _damage_told(), self._database.write() as transaction:
            transaction.execute("UPDATE made SET mark = ?", (json.dumps(asdict(mark)),))

    def put(self, records: Iterable[tuple[PointId, Payload]]) -> None:
        """All or nothing; replaces those that are there."""
        rows = [(point, json.dumps(payload), _words(payload)) for point, payload in records]
        with _damage_told(), self._database.write() as transaction:
            _delete(transaction, [point for point, _, _ in rows])
            transaction.many("INSERT INTO record (id, payload) VALUES (?, ?)", [row[:2] for row in rows])
            transaction.many(
                "INSERT INTO words (rowid, text) VALUES ((SELECT n FROM record WHERE id = ?), ?)",
                [(point, text) for point, _, text in rows],
            )

    def delete(self, ids: Sequence[PointId]) -> None:
        """Missing ids are no error."""
        with _damage_told(), self._database.write() as transaction:
            _delete(transaction, ids)

    def best(self, query: str, limit: int) -> list[Hit]:
        """Records that hold any of the words, best first."""
        with _damage_told(), self._database.read() as transaction:
            if self._database.is_shared:
                return list(_ranked(transaction, self._language, query, limit))
            asked = expression(query, is_english=self._language == "english")
            rows = transaction.execute(_BEST, (asked, limit)) if asked else ()
            return [Hit(point, score, json.loads(payload)) for point, score, payload in rows]

    def count(self) -> int:
        """How many records there are."""
        with _damage_told(), self._database.read() as transaction:
            return int(transaction.execute("SELECT count(*) FROM record").scalar())

    def states(self) -> dict[PointId, bytes]:
        """The `state` of each record as it is here; one whose words are not those of its text has an empty one."""
        sql = "SELECT id, payload, text FROM record LEFT JOIN words ON words.rowid = n"
        with _damage_told(), self._database.read() as transaction:
            held = ((point, json.loads(payload), text) for point, payload, text in transaction.execute(sql))
            return {PointId(point): state(payload) if text == _words(payload) else b"" for point, payload, text in held}

    def remove(self) -> None:
        """Delete it."""
        self._database.remove()

    def remove_file(self) -> None:
        """Delete it where it lies in a file that is there."""
        if self._file is not None and self._file.exists():
            self._database.remove()

    def close(self) -> None:
        """Release the file."""
        if "_database" in self.__dict__:
            self._database.close()

    def _tables(self) -> list[str]:
        """What makes the table of words."""
        if not self._database.is_shared:
            stems = "porter " if self._language == "english" else ""
            return [f'CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "{stems}{_LETTERS}")']
        lexemes = f"to_tsvector('{configuration_of(self._language)}'::regconfig, translate(text, '_', ' '))"
        return [
            "CREATE TABLE words (rowid BIGINT PRIMARY KEY, text VARCHAR NOT NULL,"
            f" words tsvector GENERATED ALWAYS AS ({lexemes}) STORED)",
            "CREATE INDEX ON words USING gin (words)",
        ]


def state(payload: Payload) -> bytes:
    """Tells payloads apart."""
    return blake2b(json.dumps(payload, sort_keys=True).encode(), digest_size=8).digest()


def _words(payload: Payload) -> str:
    return spaced(str(payload.get("text", ""))).replace("\x00", " ")


def _ranked(transaction: Transaction, language: Language, query: str, limit: int) -> Iterator[Hit]:
    """By PostgreSQL."""
    from psycopg.sql import SQL

    from tasks.upsert.words.bm25 import Worded, ranked

    shown = SQL("rowid AS id, (SELECT ARRAY[id, payload] FROM record WHERE n = rowid)")
    worded = Worded(SQL("words"), shown, configuration_of(language))

    def ask(sql: "Composed", values: Sequence[object]) -> list[Any]:
        return list(transaction.execute(sql.as_string(), values))

    for score, _, (point, payload) in ranked(ask, worded, query, (SQL("TRUE"), ()), limit):
        yield Hit(PointId(point), float(score), json.loads(payload))


@contextmanager
def _damage_told() -> Generator[None]:
    try:
        yield
    except ServiceError as error:
        if any(words in str(error) for words in _DAMAGE):
            raise DamagedWordsError(str(error)) from error
        raise


def _delete(transaction: Transaction, ids: Sequence[PointId]) -> None:
    transaction.many("DELETE FROM words WHERE rowid = (SELECT n FROM record WHERE id = ?)", [(one,) for one in ids])
    transaction.many("DELETE FROM record WHERE id = ?", [(one,) for one in ids])
