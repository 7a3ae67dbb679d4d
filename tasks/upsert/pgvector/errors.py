"""What the server and the driver say, and what it means to the user."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from tasks.database.server_errors import ENCODING, server_meaning
from tasks.errors import CollectionError, ConfigError, HeadraceError, NoCollectionError, ServiceError

EXTENSION = (
    "the extension pgvector is missing, or lies in a schema that is not in this user's search_path; a superuser makes"
    " it in this database with: CREATE EXTENSION vector"
)


_NO_COLLECTION = "there is no collection yet, or it was dropped; run sync"
_NOT_INSTALLED = "pgvector is not installed on the server, or too old; install version 0.8 or newer there"
# What a table of vectors may lack; by the beginning of the SQLSTATE.
_BY_STATE: tuple[tuple[str, type[HeadraceError], str], ...] = (
    ("58P01", ServiceError, _NOT_INSTALLED),
    ("0A000", ServiceError, _NOT_INSTALLED),
    ("42704", ServiceError, EXTENSION),
    ("42883", ServiceError, EXTENSION),
    ("42P01", NoCollectionError, _NO_COLLECTION),
    ("3F000", NoCollectionError, _NO_COLLECTION),
    ("42939", ConfigError, "name another `schema_name` under `store`"),
    ("42809", CollectionError, "a table has the name that is to lead to the live one; name another `collection`"),
    ("2BP01", ServiceError, "something else depends on the table, a view for one; drop that first"),
    ("42703", CollectionError, "the table is not one of Headrace's; name another `collection` under `store`"),
    ("22023", CollectionError, "pgvector takes no more; ask for shorter vectors (`dimensions`), or use another store"),
    ("22P05", ServiceError, ENCODING),
    ("22", CollectionError, "the collection does not take that; name a new `collection` under `store`"),
    ("XX00", ServiceError, "the table is damaged; restore it, or drop it and run sync: it is written from the cache"),
)


@contextmanager
def translated(name: str) -> Generator[None]:
    """The driver's errors that leave the block are ours; `name` is the table's, without a password."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, name) from error


def translate(error: psycopg.Error, name: str) -> HeadraceError:
    """Our error, by what a table of vectors may lack, else as of any database on a server."""
    text = " ".join(str(error).split()) or type(error).__name__
    for state, kind, remedy in _BY_STATE:
        if error.sqlstate and error.sqlstate.startswith(state):
            return kind(f"{name}: {text}; {remedy}")
    is_cut = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return server_meaning(name, text, error.sqlstate, is_cut=is_cut)
