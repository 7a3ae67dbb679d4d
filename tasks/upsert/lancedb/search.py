"""Searches of one table, and its index of words."""

from typing import cast

from lancedb import Table
from lancedb.index import FTS
from lancedb.query import LanceQueryBuilder, LanceVectorQueryBuilder

from config.fields import Language, SearchLanguage
from tasks.records import Hit, PointId, Points, Query
from tasks.upsert.lancedb.rows import PAYLOAD, as_payload, as_sql
from tasks.upsert.words.tokens import language_of


def text_index(language: SearchLanguage = "english") -> FTS:
    """What the index of words is to be: stems of that language, or with `none` words as Unicode cuts them."""
    if language == "none":
        return FTS(base_tokenizer="icu", stem=False, remove_stop_words=False)
    return FTS(language="English" if language == "auto" else language.capitalize())


def fit_words(table: Table, points: Points) -> Language:
    """What these first texts want: an empty table indexes whole words where they put no spaces between them."""
    language = language_of(points)
    if language == "none" and not table.count_rows():
        table.create_index("text", config=text_index(language), replace=True)
    return language


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
