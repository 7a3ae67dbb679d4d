"""What the server and the driver say, and what it means to the user."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from tasks.database.errors import meaning
from tasks.errors import CollectionError, ConfigError, HeadraceError, NoCollectionError, ServiceError, TransientError

EXTENSION = (
    "the extension pgvector is missing, or lies in a schema that is not in this user's search_path; a superuser makes"
    " it in this database with: CREATE EXTENSION vector"
)


_NO_COLLECTION = "there is no collection yet, or it was dropped; run sync"
_NOT_INSTALLED = "pgvector is not installed on the server, or too old; install version 0.8 or newer there"
_FULL = (
    "the server's disk is full, or its shared memory, of which a container gets more by `--shm-size=1g`; make room and"
    " run again: no acknowledged record is lost"
)
# By the beginning of the SQLSTATE, which is the same in every language of the server.
_BY_STATE: tuple[tuple[str, type[HeadraceError], str], ...] = (
    ("42501", ServiceError, "this user may not do that; grant it, or use the user who owns the table"),
    ("25006", ServiceError, "the server takes no writes for this user; is it a replica?"),
    ("57014", TransientError, "a time limit of the server; raise statement_timeout for this user"),
    ("57P", TransientError, "the server ended the connection: once it is up, run again"),
    ("55P03", TransientError, "another process has the table locked: run again"),
    ("40", TransientError, "another process wrote the same records: run again"),
    ("08", TransientError, "the connection was lost: run again"),
    ("53300", TransientError, "the server has no connection left; close others, or raise max_connections"),
    ("53100", ServiceError, _FULL),
    ("53", ServiceError, "the server is short of memory; give it more, or run again later"),
    ("54", ServiceError, "that is more than PostgreSQL takes; smaller chunks may help"),
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
    ("22P05", ServiceError, "the database cannot hold every character; make one with ENCODING 'UTF8'"),
    ("22023", CollectionError, "pgvector takes no more; ask for shorter vectors (`dimensions`), or use another store"),
    ("22", CollectionError, "the collection does not take that; name a new `collection` under `store`"),
    ("XX00", ServiceError, "the table is damaged; restore it, or drop it and run sync: it is written from the cache"),
)
# Before there is a session there is no SQLSTATE.
_BY_WORDS: tuple[tuple[str, type[HeadraceError], str], ...] = (
    ("no pg_hba.conf entry", ConfigError, "the server admits no such connection; check the address and sslmode"),
    ("Name or service not known", ConfigError, "check the host in `url` under `store`"),
    ("No address associated", ConfigError, "check the host in `url` under `store`"),
    ("Servname not supported", ConfigError, "check the port in `url` under `store`"),
    ("resolve host", TransientError, "check the host in `url` under `store`, and the network"),
    ("does not support SSL", ConfigError, "check sslmode in `url` under `store`"),
    ("certificate", ConfigError, "check sslmode and sslrootcert in `url` under `store`"),
    ("invalid", ConfigError, "check `url` under `store`"),
    ("Connection refused", TransientError, "is the server up, and the port right?"),
    ("timeout expired", TransientError, "is the server up, and does a firewall let this machine through?"),
)


@contextmanager
def translated(name: str) -> Generator[None]:
    """The driver's errors that leave the block are ours; `name` is the table's, without a password."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, name) from error


def translate(error: psycopg.Error, name: str) -> HeadraceError:
    """Our error, by its SQLSTATE, else by its words, else as any other database's."""
    text = " ".join(str(error).split()) or type(error).__name__
    for state, kind, remedy in _BY_STATE:
        if error.sqlstate and error.sqlstate.startswith(state):
            return kind(f"{name}: {text}; {remedy}")
    for words, kind, remedy in _BY_WORDS:
        if words in text:
            return kind(f"{name}: {text}; {remedy}")
    is_cut = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return meaning(name, text, is_cut=is_cut)
