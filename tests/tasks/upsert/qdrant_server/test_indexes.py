"""What a server is asked to index: fields that searches filter by, and the vectors not before a bulk load ends."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.fields import FieldType
from config.read import read_pipeline
from tasks.errors import NoTextIndexError
from tasks.records import Filter, Query
from tasks.upsert.open import open_store
from tasks.upsert.qdrant_server import bulk
from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.contracts.store.trial import names, point
from tests.points import columns
from tests.qdrant_server import Fault, QdrantServer

Opened = Callable[..., QdrantServerStore]
FIELDS: dict[str, FieldType] = {"year": "integer", "team": "keyword", "published": "datetime", "price": "number"}
OURS = {"text": "text", "metadata.source": "keyword", "metadata.document": "keyword"}


@pytest.fixture
def small_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "FROM", 100)


def kinds(server: QdrantServer) -> dict[str, str]:
    return {field: index["data_type"] for field, index in server.collections["c"].schema.items()}


def test_each_field_of_the_settings_gets_an_index_once(server: QdrantServer, opened: Opened) -> None:
    opened().ensure(8)
    assert kinds(server) == OURS
    server.asked()
    opened().indexing(FIELDS).ensure(8)
    theirs = {"metadata.team": "keyword", "metadata.published": "datetime", "metadata.price": "float"}
    assert kinds(server) == {**OURS, **theirs, "metadata.year": "integer"}
    assert server.asked() == ["GET /collections/c", *["PUT /collections/c/index"] * 4]
    opened().indexing(FIELDS).ensure(8)
    assert server.asked() == ["GET /collections/c"]


def test_a_server_that_filters_by_indexed_fields_alone_takes_those(server: QdrantServer, opened: Opened) -> None:
    server.only_indexed = True
    store = opened().indexing({**FIELDS, "größe": "integer"})
    store.ensure(8)
    store.upsert(columns(*(point(f"{year}", year=year, größe=-year, team="x") for year in (2023, 2024, 2025))))
    assert names(store, Filter("year", ">=", (2024,)), Filter("team", "in", ("x",))) == {"2024", "2025"}
    assert names(store, Filter("größe", ">", (-2024,))) == {"2023"}


def test_a_field_of_another_type_is_told_and_left_alone(
    server: QdrantServer, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    opened().indexing({"year": "keyword"}, "year").ensure(8)
    opened().indexing({"year": "keyword"}, "year").ensure(8)
    assert caplog.records == []
    before = kinds(server)
    with caplog.at_level(logging.WARNING, logger="headrace"):
        opened().indexing({"year": "integer"}).ensure(8)
    assert "metadata.year that is keyword, and the settings ask for integer" in caplog.text
    assert kinds(server) == before


def test_a_tenant_has_an_index_of_its_own_kind(
    server: QdrantServer, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    opened().indexing({}, "team").ensure(8)
    schema = server.collections["c"].schema
    assert schema["metadata.team"]["params"] == {"type": "keyword", "is_tenant": True}
    opened("d").indexing({"team": "keyword"}).ensure(8)
    with caplog.at_level(logging.WARNING, logger="headrace"):
        opened("d").indexing({"team": "keyword"}, "team").ensure(8)
    assert "the settings ask for one of tenants" in caplog.text


SETTINGS = """\
name: c
sources: [{{path: .}}]
embedder: {{kind: hashing}}
store: {{kind: qdrant, url: "{url}", {fields}}}
"""


def test_the_settings_reach_the_server(server: QdrantServer, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(SETTINGS.format(url=server.url, fields="filter_fields: {year: integer}, tenant_field: team"))
    store = open_store(read_pipeline(config).store, "c")
    store.ensure(8)
    store.close()
    assert kinds(server) == {**OURS, "metadata.year": "integer", "metadata.team": "keyword"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("filter_fields: {year: whole}", "keyword"),
        ('filter_fields: {"a.b": keyword}', "expected text that matches"),
        ("filter_fields: {team: integer}, tenant_field: team", "is a keyword"),
    ],
)
def test_what_is_no_field_is_refused(tmp_path: Path, fields: str, expected: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(SETTINGS.format(url="http://host:6333", fields=fields))
    with pytest.raises(ConfigError, match=expected):
        read_pipeline(config)


@pytest.mark.usefixtures("small_bulk")
def test_a_bulk_load_has_its_graph_built_at_its_end(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    store.ensure(8)
    for _ in range(3):
        store.expect(40)
        store.upsert(columns(*(point() for _ in range(40))))
    assert server.collections["c"].indexing_threshold == 1_000_010_000
    assert len(names(store)) >= 1
    store.close()
    assert server.collections["c"].indexing_threshold == 10_000
    assert sum(request.startswith("PATCH") for request in server.asked()) == 2


@pytest.mark.usefixtures("small_bulk")
@pytest.mark.parametrize("threshold", [1, 20_000, 500_000])
def test_what_a_killed_load_left_is_put_back_by_the_next_run(
    server: QdrantServer, opened: Opened, threshold: int
) -> None:
    opened().ensure(8)
    server.collections["c"].indexing_threshold = threshold
    killed = opened()
    killed.ensure(8)
    killed.expect(100)
    assert server.collections["c"].indexing_threshold == 10**9 + threshold
    opened().ensure(8)
    assert server.collections["c"].indexing_threshold == threshold


@pytest.mark.usefixtures("small_bulk")
def test_a_graph_that_the_user_switched_off_stays_off(server: QdrantServer, opened: Opened) -> None:
    opened().ensure(8)
    server.collections["c"].indexing_threshold = 0
    store = opened()
    store.ensure(8)
    store.expect(100)
    store.close()
    assert server.collections["c"].indexing_threshold == 0


def test_a_small_run_changes_nothing(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    store.ensure(8)
    store.expect(bulk.FROM - 1)
    store.close()
    assert not [request for request in server.asked() if request.startswith("PATCH")]


@pytest.mark.usefixtures("small_bulk")
def test_a_key_that_may_not_change_the_collection_still_fills_it(
    server: QdrantServer, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    store, one = opened(), point()
    store.ensure(8)
    server.faults = [Fault("PATCH /collections/c", 403, "Forbidden")]
    with caplog.at_level(logging.WARNING, logger="headrace"):
        store.expect(100)
    assert "building the graph could not be deferred" in caplog.text
    store.upsert(columns(one))
    assert store.count() == 1
    store.close()


@pytest.mark.usefixtures("small_bulk")
def test_a_server_that_goes_at_the_end_leaves_the_graph_to_the_next_run(
    server: QdrantServer, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened()
    store.ensure(8)
    store.expect(100)
    server.faults = [Fault("PATCH /collections/c", 500, times=1)]
    with caplog.at_level(logging.WARNING, logger="headrace"):
        store.close()
    assert "the graph is built when the next run begins" in caplog.text
    opened().ensure(8)
    assert server.collections["c"].indexing_threshold == 10_000


def test_the_index_for_words_is_asked_after_once_and_again_where_the_server_refuses(
    server: QdrantServer, opened: Opened
) -> None:
    made, words = opened(), Query(point("a").vector, 5, words="text")
    made.ensure(8)
    made.upsert(columns(point("a")))
    server.asked()
    assert [len(made.search(words)), len(made.search(words))] == [1, 1]
    assert server.asked() == ["GET /collections/c", *["POST /collections/c/points/query"] * 2]
    del server.collections["c"].schema["text"]
    server.faults = [Fault("/query", 400, "no index with scoring for the field text")]
    with pytest.raises(NoTextIndexError, match="has no text index"):
        made.search(words)
