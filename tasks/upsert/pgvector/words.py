"""Search by words in a table of records.

The lexemes are a generated column: they change with the text and cannot go stale.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.sql import SQL, Composable, Literal

from config.fields import Language
from tasks.upsert.pgvector.table import CREATING, Table
from tasks.upsert.words.bm25 import Worded, ranked
from tasks.upsert.words.tokens import UNSPACED, configuration_of

_HELD = (
    "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum"
    " WHERE adrelid = to_regclass(%s) AND attname = 'words'"
)
# Cut as `spaced` does it, but for the first and the last character of a run without spaces, which are also words here:
# `abc` becomes `a ab bc c`. Looking round a character, which would leave them out, takes four times as long.
_SPLITS = (
    (r"([[:lower:][:digit:]])([[:upper:]])", r"\1 \2"),
    (r"([[:upper:]])([[:upper:]][[:lower:]])", r"\1 \2"),
    (f"([{UNSPACED}]+)", r" \1 "),
    (f"([{UNSPACED}])", r"\1 \1"),
)
_LEXEMES = SQL("ALTER TABLE {} ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector({}::regconfig, {})) STORED")
_SHOWN = SQL("id::text, content, metadata, headrace")


def complete(connection: psycopg.Connection, table: Table, language: Language) -> None:
    """The column, where it is missing; a table of old is written anew for it once, by the server."""
    if _configuration(connection, table) is not None:
        return
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATING,))
    if _configuration(connection, table) is None:  # seen by a statement of its own, behind whoever had the lock
        is_unicode = connection.info.parameter_status("server_encoding") == "UTF8"
        text: Composable = SQL("translate({}, '_', ' ')").format(
            SQL("normalize(content, NFKC)" if is_unicode else "content")
        )
        for pattern, parts in _SPLITS:
            text = SQL("regexp_replace({}, {}, {}, 'g')").format(text, Literal(pattern), Literal(parts))
        connection.execute(_LEXEMES.format(table.name, Literal(configuration_of(language)), text))


def best(
    connection: psycopg.Connection, table: Table, words: str, where: tuple[Composable, Sequence[object]], limit: int
) -> list[Any] | None:
    """Rows of score, id, content, metadata and headrace, best first; None for a table without the column.

    `where` are the conditions as SQL, and its parameters.
    """
    configuration = _configuration(connection, table)
    if configuration is None:
        return None
    worded = Worded(table.name, _SHOWN, configuration)
    return ranked(lambda sql, values: connection.execute(sql, values).fetchall(), worded, words, where, limit)


def _configuration(connection: psycopg.Connection, table: Table) -> str | None:
    """PostgreSQL's name for how the table's words are made."""
    row = connection.execute(_HELD, (table.path,)).fetchone()
    return None if row is None else str(row[0]).split("'")[1]
