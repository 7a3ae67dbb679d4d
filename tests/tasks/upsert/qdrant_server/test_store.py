"""What is special about a server: what is asked of it, and what others may find or have left there."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from tasks.errors import CollectionError, ConfigError, DocumentError, ServiceError, TransientError
from tasks.records import Filter, PointId, Query, Sentinel
from tasks.upsert.qdrant_server import batches
from tasks.upsert.qdrant_server.collection import INDEXED_FIELDS, TEXT
from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.contracts.store.trial import ANYWHERE, holds, names, point
from tests.points import Point, columns
from tests.qdrant_server import Fault, QdrantServer

Opened = Callable[..., QdrantServerStore]
COSINE = models.VectorParams(size=8, distance=models.Distance.COSINE)


def test_source_and_document_are_indexed_where_they_are_not_yet(server: QdrantServer, opened: Opened) -> None:
    server.faults = [Fault("/index", 500, passing=1, times=1)]
    with pytest.raises(TransientError):
        opened().ensure(8)
    assert set(server.collections["c"].schema) == {"metadata.source"}
    server.asked()
    opened().ensure(8)
    assert set(server.collections["c"].schema) == {TEXT, *(f"metadata.{field}" for field in INDEXED_FIELDS)}
    index = "PUT /collections/c/index"
    assert server.asked() == ["GET /collections/c", index, "GET /", index]
    opened().ensure(8)
    assert server.asked() == ["GET /collections/c"]


def test_a_float_is_sent_in_the_digits_that_32_bits_have(server: QdrantServer, opened: Opened) -> None:
    store, many = opened(), [point(f"{number}") for number in range(200)]
    store.ensure(8)
    payloads = sum(len(json.dumps(one.payload)) + len(one.id) for one in many)
    server.sizes.clear()
    store.upsert(columns(*many))
    assert sum(server.sizes) < payloads + 200 * 8 * 15
    vectors = store.vectors([one.id for one in many])
    assert all(np.array_equal(vectors[one.id], one.vector) for one in many if np.linalg.norm(one.vector) == 1)


def test_a_collection_that_another_process_makes_first_is_taken(server: QdrantServer, opened: Opened) -> None:
    opened().ensure(8)
    missing = Fault("GET /collections/c", 404, "Not found: Collection `c` doesn't exist!", times=1)
    server.faults = [missing]
    store = opened()
    store.ensure(8)
    assert missing.times == 0
    server.faults = [Fault("GET /collections/c", 404, "Not found: Collection `c` doesn't exist!", times=1)]
    with pytest.raises(CollectionError, match="8 dimensions, the model makes 9"):
        opened().ensure(9)


@pytest.mark.parametrize("version", ["1.9.7", "0.11.0"])
def test_a_server_that_is_too_old_is_refused_before_anything_is_made(
    server: QdrantServer, opened: Opened, version: str
) -> None:
    server.version = version
    with pytest.raises(ServiceError, match=rf"Qdrant {version}, expected 1\.10 or newer"):
        opened().ensure(8)
    assert server.collections == {}


@pytest.mark.parametrize("version", ["1.10.0", "1.16.2-dev", "2.0.0", "built at home"])
def test_other_versions_are_taken(server: QdrantServer, opened: Opened, version: str) -> None:
    server.version = version
    opened().ensure(8)


FOREIGN: dict[str, Any] = {
    "compares by Dot, expected Cosine": models.VectorParams(size=8, distance=models.Distance.DOT),
    "one vector without a name": {"text": COSINE},
    "made by others": COSINE.model_copy(
        update={"multivector_config": models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)}
    ),
}


@pytest.mark.parametrize("expected", FOREIGN)
def test_a_collection_that_others_made_differently_is_refused(
    server: QdrantServer, opened: Opened, expected: str
) -> None:
    others = QdrantClient(url=server.url, check_compatibility=False)
    others.create_collection("c", vectors_config=FOREIGN[expected])
    store = opened()
    for call in (lambda: store.ensure(8), lambda: store.upsert(columns(point()))):
        with pytest.raises(CollectionError, match=expected):
            call()
    assert others.count("c").count == 0
    others.close()


def test_other_readers_find_texts_where_they_are_told_and_never_the_sentinel(
    server: QdrantServer, opened: Opened
) -> None:
    store, one = opened(), point("a", source="docs")
    store.ensure(8)
    store.mark(Sentinel("line", 1, "space"))
    store.upsert(columns(one))
    others = QdrantClient(url=server.url, check_compatibility=False)
    (hit,) = others.query_points("c", query=(-one.vector).tolist(), limit=9).points
    assert (hit.id, hit.payload) == (one.id, one.payload)
    assert hit.payload is not None
    assert hit.payload["text"] == "text of a"
    assert hit.payload["metadata"]["source"] == "docs"
    others.close()


def test_vectors_are_kept_at_unit_length(server: QdrantServer, opened: Opened) -> None:
    store, one = opened(), point()
    store.ensure(8)
    store.upsert(columns(Point(one.id, 5 * one.vector, one.payload)))
    np.testing.assert_allclose(store.vectors([one.id])[one.id], one.vector, atol=1e-6)


def test_requests_are_bounded_by_bytes_and_by_count(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    store.ensure(1536)
    dice = np.random.default_rng(3)

    def written(count: int, characters: int) -> list[int]:
        records = [point("日" * characters) for _ in range(count)]
        matrix = dice.normal(size=(count, 1536)).astype(np.float32)
        server.sizes.clear()
        store.upsert(columns(*(Point(one.id, row, one.payload) for one, row in zip(records, matrix, strict=True))))
        return server.sizes[:]

    assert len(written(400, 1)) == 2  # by bytes: 15 kB a record
    sizes = written(100, 100_000)
    assert len(sizes) > 5
    assert max(sizes) < batches.MOST_BYTES + (1 << 16) < 32 << 20
    assert written(1, 1_000_000)[0] > batches.MOST_BYTES  # one alone may be larger
    assert store.count() == 501


def test_a_record_that_is_larger_than_any_request_is_told_so(
    server: QdrantServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.qdrant_server.MOST_BYTES", 1 << 16)
    store, large = opened(), point("x" * (1 << 16))
    store.ensure(8)
    with pytest.raises(ServiceError, match="413"):
        store.upsert(columns(large))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, "half \ud83d", b"bytes"])
def test_a_payload_that_is_no_plain_json_is_refused_before_anything_is_sent(
    server: QdrantServer, opened: Opened, value: object
) -> None:
    store = opened()
    store.ensure(8)
    server.asked()
    with pytest.raises(DocumentError, match=r"s:bad: point .* cannot be stored") as raised:
        store.upsert(columns(*(point() for _ in range(600)), point("bad", at=value)))
    assert raised.value.reason == "bad-payload"
    assert server.asked() == []


def test_an_id_that_is_no_uuid_is_refused_before_anything_is_sent(server: QdrantServer, opened: Opened) -> None:
    store, one = opened(), point("bad")
    store.ensure(8)
    with pytest.raises(DocumentError, match="s:bad"):
        store.upsert(columns(Point(PointId("chunk-1"), one.vector, one.payload)))


def test_where_only_indexed_fields_may_be_filtered_by_ours_are_and_others_are_named(
    server: QdrantServer, opened: Opened
) -> None:
    server.only_indexed = True
    store = opened()
    store.ensure(8)
    store.upsert(columns(point("a", source="x"), point("b", source="y")))
    assert names(store, Filter("source", "in", ("x",)), Filter("document", "not_in", ("b",))) == {"a"}
    assert store.count() == 2
    with pytest.raises(ConfigError, match=r"metadata.*team.*filter_fields"):
        names(store, Filter("team", "in", ("x",)))


def test_a_number_beyond_all_floats_is_compared_as_one(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    store.ensure(8)
    store.upsert(columns(point("one", at=1), point("large", at=1e300)))
    for limit in (float("inf"), 10**400):
        assert names(store, Filter("at", "<", (limit,))) == {"one", "large"}
        assert names(store, Filter("at", ">", (-limit,))) == {"one", "large"}
        assert names(store, Filter("at", ">", (limit,))) == names(store, Filter("at", "in", (limit,))) == set()


def test_reading_makes_nothing(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    assert (store.count(), list(store.scan()), store.sentinel(), store.search(Query(ANYWHERE, 3))) == (0, [], None, [])
    assert server.collections == {}


def test_a_mark_of_another_form_is_nobodys(server: QdrantServer, opened: Opened) -> None:
    store = opened()
    store.ensure(8)
    store.mark(Sentinel("line", 1, "space"))
    (sentinel,) = server.answer("POST /collections/c/points/scroll", {})["points"]
    for payload in ({}, {"headrace": {"version": 2}}, {"headrace": None}):
        server.answer("PUT /collections/c/points", {"points": [{**sentinel, "vector": {}, "payload": payload}]})
        assert store.sentinel() is None


def test_a_record_without_a_vector_is_there_and_has_none(server: QdrantServer, opened: Opened) -> None:
    store, one = opened(), point("a")
    store.ensure(8)
    server.answer("PUT /collections/c/points", {"points": [{"id": one.id, "vector": {}, "payload": one.payload}]})
    assert (store.present([one.id]), store.vectors([one.id]), store.count()) == ({one.id}, {}, 1)


def test_two_writers_keep_each_others_records(opened: Opened) -> None:
    one, other, mine, theirs = opened(), opened(), point("mine"), point("theirs")
    one.ensure(8)
    other.ensure(8)
    one.upsert(columns(mine))
    other.upsert(columns(theirs))
    holds(one, mine, theirs)


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect")
def test_the_clients_own_engine_in_memory_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by others than the stand-in; it knows no truth values in filters and no errors of a server."""
    local = QdrantClient(":memory:")
    monkeypatch.setattr("tasks.upsert.qdrant_server.server.QdrantClient", lambda **_: local)
    monkeypatch.setattr("tasks.upsert.qdrant_server.store.IN_FLIGHT", 1)  # it takes one writer at a time
    store = QdrantServerStore("http://nowhere:6333", "c")
    local.create_collection("c", vectors_config=COSINE)
    store.ensure(8)
    points = [point(f"{number}", source="xy"[number % 2], page=number) for number in range(1200)]
    store.upsert(columns(*points))
    store.mark(Sentinel("line", 1, "space"))
    store.delete([one.id for one in points[20:]])
    holds(store, *points[:20])
    assert store.sentinel() == Sentinel("line", 1, "space")
    best = sorted(points[:20], key=lambda one: -float(one.vector @ ANYWHERE))
    assert [hit.id for hit in store.search(Query(ANYWHERE, 20))] == [one.id for one in best]
    odd, late = Filter("source", "in", ("y",)), Filter("page", ">=", (15,))
    assert names(store, odd, late) == {"15", "17", "19"}
    assert names(store, Filter("source", "not_in", ("y",)), late) == {"16", "18"}
    assert names(store, Filter("page", "in", (3.0, 4))) == {"3", "4"}
    assert names(store, Filter("page", "in", ())) == set()
    store.close()


def test_what_is_sent_is_what_the_published_interface_says(server: QdrantServer, opened: Opened) -> None:
    """The stand-in is ours; this is the request as a server of any version takes it."""
    store = opened()
    store.ensure(8)
    bodies: dict[str, Any] = {}
    answer = server.answer

    def noted(request: str, body: Any) -> Any:
        bodies[request] = body
        return answer(request, body)

    server.answer = noted  # type: ignore[method-assign]
    store.mark(Sentinel("line", 1, "space"))
    (mark,) = bodies["PUT /collections/c/points"]["points"]
    assert mark["vector"] == {}
    marked = asdict(Sentinel("line", 1, "space"))
    assert json.loads(json.dumps(mark["payload"])) == {"headrace": marked}
    store.search(Query(ANYWHERE, 3, [Filter("a.b", "in", (True, 1, "1")), Filter("year", ">", (2024,))]))
    assert bodies["POST /collections/c/points/query"]["filter"] == {
        "must": [
            {
                "should": [
                    {"must": [{"key": 'metadata."a.b"', "match": {"value": True}}]},
                    {"must": [{"key": 'metadata."a.b"', "range": {"gte": 1.0, "lte": 1.0}}]},
                    {"must": [{"key": 'metadata."a.b"', "match": {"value": "1"}}]},
                ]
            },
            {"must": [{"key": 'metadata."year"', "range": {"gt": 2024.0}}]},
        ]
    }
