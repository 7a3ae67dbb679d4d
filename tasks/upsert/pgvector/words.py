"""Search by words: BM25 over what PostgreSQL's own text search knows of each record's text.

The lexemes are a generated column: they change with the text and cannot go stale. PostgreSQL ranks without knowing
how rare a word is, so scores are worked out here, over records that hold the rarer words of the query.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import psycopg
from psycopg.sql import SQL, Composable, Literal

from config.fields import Language
from tasks.upsert.pgvector.table import CREATING, Table

MOST_CANDIDATES = 20_000  # records that are scored, where the query has words that are so rare

_HELD = (
    "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum"
    " WHERE adrelid = to_regclass(%s) AND attname = 'words'"
)
# Identifiers are split at underscores and capitals, in texts and in queries.
_LEXEMES = SQL(
    "to_tsvector({}::regconfig, regexp_replace(translate({}, '_', ' '), '([[:lower:][:digit:]])([[:upper:]])',"
    r" '\1 \2', 'g'))"
)
_ADD = SQL("ALTER TABLE {} ADD COLUMN words tsvector GENERATED ALWAYS AS ({}) STORED")
_FREQUENCIES = SQL(
    "SELECT (SELECT count(*) FROM {0} WHERE words @@ quote_literal(lexeme)::tsquery), lexeme,"
    " (SELECT count(*) FROM {0}) FROM unnest(tsvector_to_array({1})) AS lexeme"
)
# With k1 of 1.2 and b of 0.75; a thousand records say how long a text usually is, counted in different words.
_BEST = SQL(
    "WITH wanted AS (SELECT * FROM unnest(%s::text[], %s::float8[]) AS one (lexeme, weight)), usual AS"
    " (SELECT greatest(avg(length(words)), 1) AS size FROM (SELECT words FROM {0} LIMIT 1000) AS few)"
    " SELECT id::text, (SELECT sum(weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length(words) / size)))"
    " FROM unnest(words) AS held JOIN wanted USING (lexeme), cardinality(held.positions) AS count) AS score,"
    " content, metadata, headrace FROM {0}, usual WHERE words @@ %s::tsquery AND {1} ORDER BY score DESC, id LIMIT %s"
)


def complete(connection: psycopg.Connection, table: Table, language: Language) -> None:
    """The column, where it is missing; a table of old is written anew for it once, by the server."""
    if _configuration(connection, table) is not None:
        return
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATING,))
    if _configuration(connection, table) is None:  # seen by a statement of its own, behind whoever had the lock
        name = "simple" if language == "none" else language
        connection.execute(_ADD.format(table.name, _LEXEMES.format(Literal(name), SQL("content"))))


def best(
    connection: psycopg.Connection, table: Table, words: str, where: tuple[Composable, Sequence[object]], limit: int
) -> list[Any] | None:
    """Rows of id, score, content, metadata and headrace, best first; None for a table without the column.

    `where` are the conditions as SQL, and its parameters.
    """
    configuration = _configuration(connection, table)
    if configuration is None:
        return None
    lexemes = _LEXEMES.format(Literal(configuration), SQL("%s::text"))
    rows = connection.execute(_FREQUENCIES.format(table.name, lexemes), (words,)).fetchall()
    known = sorted(row for row in rows if row[0])
    if not known:
        return []
    seen = accumulate(count for count, _, _ in known)
    rare = [lexeme for (_, lexeme, _), many in zip(known, seen, strict=True) if many <= MOST_CANDIDATES]
    asked = " | ".join(_quoted(lexeme) for lexeme in rare or [known[0][1]])
    weights = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count, _, total in known]
    values = ([lexeme for _, lexeme, _ in known], weights, asked, *where[1], limit)
    return connection.execute(_BEST.format(table.name, where[0]), values).fetchall()


def _configuration(connection: psycopg.Connection, table: Table) -> str | None:
    """PostgreSQL's name for how the table's words are made."""
    row = connection.execute(_HELD, (table.path,)).fetchone()
    return None if row is None else str(row[0]).split("'")[1]


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
