"""Ranks rows of PostgreSQL by their words: BM25 over lexemes, which its own text search made of them.

PostgreSQL ranks without knowing how rare a word is, so scores are worked out here, over rows that hold the rarer words
of the query.
"""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from psycopg.sql import SQL, Composable, Composed, Literal

from tasks.upsert.words.tokens import UNSPACED, spaced

MOST_CANDIDATES = 20_000  # rows that are scored, where the query has words that are so rare

# A lone character of a script without spaces is the beginning of a pair.
_FREQUENCIES = SQL(
    "SELECT (SELECT count(*) FROM {0} WHERE words @@ wanted), lexeme, wanted::text, (SELECT count(*) FROM {0})"
    " FROM (SELECT lexeme, (quote_literal(lexeme) || CASE WHEN lexeme ~ {1} THEN ':*' ELSE '' END)::tsquery AS wanted"
    " FROM unnest(tsvector_to_array(to_tsvector(%s::text::regconfig, %s::text))) AS lexeme) AS asked"
)
# With k1 of 1.2 and b of 0.75; a thousand rows say how long a text usually is, counted in different words.
_BEST = SQL(
    "WITH wanted AS (SELECT * FROM unnest(%s::text[], %s::float8[]) AS one (lexeme, weight)), usual AS"
    " (SELECT greatest(avg(length(words)), 1) AS size FROM (SELECT words FROM {0} LIMIT 1000) AS few)"
    " SELECT (SELECT sum(weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length(words) / size)))"
    " FROM unnest(words) AS held JOIN wanted ON {3}, cardinality(held.positions) AS count) AS score,"
    " {1} FROM {0}, usual WHERE words @@ %s::tsquery AND {2} ORDER BY score DESC, id LIMIT %s"
)
_WHOLE = SQL("held.lexeme = wanted.lexeme")
_PAIRS = SQL("starts_with(held.lexeme, wanted.lexeme) AND (held.lexeme = wanted.lexeme OR wanted.lexeme ~ {})")
_LONE = Literal(f"^[{UNSPACED}]$")


class Worded(NamedTuple):
    """A table with `id` and the lexemes `words`; `shown` are the columns of a row behind its score."""

    table: Composable
    shown: Composable
    configuration: str  # PostgreSQL's name for how lexemes are made


def ranked(
    ask: Callable[[Composed, Sequence[object]], Sequence[Any]],
    worded: Worded,
    query: str,
    where: tuple[Composable, Sequence[object]],
    limit: int,
) -> list[Any]:
    """Rows that hold a word of the query, each with its score before it, best first; `where` is SQL and its values."""
    words = spaced(query).replace("_", " ").replace("\x00", " ")
    frequencies = _FREQUENCIES.format(worded.table, _LONE)
    known = sorted(row for row in ask(frequencies, (worded.configuration, words)) if row[0])
    if not known:
        return []
    seen = accumulate(count for count, *_ in known)
    rare = [term for (_, _, term, _), many in zip(known, seen, strict=True) if many <= MOST_CANDIDATES]
    asked = " | ".join(rare or [known[0][2]])
    weights = [math.log(1 + (total - count + 0.5) / (count + 0.5)) for count, *_, total in known]
    held = _PAIRS.format(_LONE) if any(term.endswith(":*") for _, _, term, _ in known) else _WHOLE
    best = _BEST.format(worded.table, worded.shown, where[0], held)
    return list(ask(best, ([row[1] for row in known], weights, asked, *where[1], limit)))
