"""Searches of one table, and its index of words."""

from typing import cast

from lancedb import Table
from lancedb.index import FTS
from lancedb.query import LanceQueryBuilder, LanceVectorQueryBuilder

from config.fields import Language
from tasks.records import Hit, PointId, Query
from tasks.upsert.lancedb.rows import PAYLOAD, as_payload, as_sql


def text_index(language: Language = "english") -> FTS:
    """What the index of words is to be: stems of that language, or with `none` words as Unicode cuts them."""
    if language == "none":
        return FTS(base_tokenizer="icu", stem=False, remove_stop_words=False)
    return FTS(language=language.capitalize())


def has_words(table: Table) -> bool:
    """Whether the table has an index of words."""
    return any(index.columns == ["text"] for index in table.list_indices())


def best(table: Table, query: Query, limit: int) -> list[Hit]:
    """The records that fit best, by vector or by words."""
    if query.words:
        search: LanceQueryBuilder = table.search(query.words, query_type="fts", fts_columns="text")
        search = search.select([*PAYLOAD, "_score"])
    else:
        nearest = cast(LanceVectorQueryBuilder, table.search(query.vector, vector_column_name="vector"))
        search = nearest.distance_type("cosine").select([*PAYLOAD, "_distance"])
    if query.conditions:
        search = search.where(as_sql(query.conditions), prefilter=True)
    rows = search.limit(limit).to_list()
    return [
        Hit(PointId(row["id"]), row["_score"] if query.words else 1.0 - row["_distance"], as_payload(row))
        for row in rows
    ]
