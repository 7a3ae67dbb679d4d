"""What a transaction needs of a driver; SQLite and PostgreSQL each bring their own."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

PARAMETERS_PER_QUERY = 900  # SQLite's oldest limit is 999 bound parameters


class Rows:
    """The answer to one statement, read to its end: no cursor stays open behind it."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        """`rowcount` is of an UPDATE or a DELETE."""
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def one_or_none(self) -> Any:
        """The first row."""
        return self._rows[0] if self._rows else None

    def scalar(self) -> Any:
        """The first column of the first row; None where there is no row."""
        return self._rows[0][0] if self._rows else None


class Connection(Protocol):
    """Statements in plain SQL, with `?` for each parameter; autocommit outside BEGIN and COMMIT."""

    @property
    def begin(self) -> str:
        """The statement that begins a transaction that writes."""
        ...

    @property
    def for_update(self) -> str:
        """What makes a SELECT lock its rows."""
        ...

    @property
    def binary(self) -> str:
        """The type of a column of bytes."""
        ...

    @property
    def by_key(self) -> str:
        """What at the end of CREATE TABLE keeps the rows themselves in the order of the key."""
        ...

    def execute(self, sql: str, values: Sequence[Any], /) -> Rows:
        """One statement."""
        ...

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]], /) -> None:
        """The statement once per row of parameters."""
        ...

    def rollback(self) -> None:
        """Take the transaction back; nothing happens where the database has done it by itself."""
        ...

    def columns(self) -> set[tuple[str, str, bool]]:
        """(table, column, whether it belongs to the table's key) of all that there is."""
        ...

    def names(self) -> set[str]:
        """The names of all tables and indexes that there are."""
        ...

    def prepare(self) -> None:
        """Keep other processes from making the same tables; called inside a transaction, before any is made."""
        ...


class Connections(Protocol):
    """A pool."""

    def open(self) -> AbstractContextManager[Connection]:
        """A connection that nobody else uses meanwhile; what the block left unfinished is rolled back."""
        ...

    def close(self) -> None:
        """Drop them all."""
        ...
