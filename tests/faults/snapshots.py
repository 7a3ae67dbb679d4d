"""Databases in memory, copied byte by byte."""

from typing import Any

from tasks.database.database import Database
from tasks.database.migrations import Layout


def snapshot(database: Database) -> bytes:
    """The whole database as SQLite would write it to a file."""
    with database.read() as transaction:
        content: bytes = _driver(transaction).serialize()
        return content


def restored(content: bytes, layout: Layout) -> Database:
    """A database of its own with that content."""
    database = Database("sqlite://", Layout(layout.name, ()), "restored")  # the tables come with the content
    with database.read() as transaction:
        _driver(transaction).deserialize(content)
    return database


def _driver(transaction: Any) -> Any:
    return transaction.connection.driver
