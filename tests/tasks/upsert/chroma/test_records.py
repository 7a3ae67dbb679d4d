"""What lies in Chroma, as other readers find it."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tasks.errors import CollectionError, DocumentError, ServiceError
from tasks.records import Filter, PointId, Query, Sentinel
from tasks.upsert.chroma.search import PAGE
from tasks.upsert.chroma.server import RemoteServer
from tasks.upsert.chroma.store import ChromaStore
from tests.chroma_server import shared_server
from tests.points import Point, columns

ONES = np.ones(8, dtype=np.float32)


class Raw:
    """The server's own view."""

    def __init__(self) -> None:
        self._http = httpx.Client(
            base_url=f"{shared_server().url}/api/v2/tenants/default_tenant/databases/default_database"
        )

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        return self._http.request(method, path, json=body).raise_for_status().json()

    def close(self) -> None:
        self._http.close()

    def create(self, name: str, **fields: object) -> Any:
        return self("POST", "/collections", {"name": name, **fields})

    def records(self, name: str) -> Any:
        collection = self("GET", f"/collections/{name}")["id"]
        return self("POST", f"/collections/{collection}/get", {"include": ["documents", "metadatas"]})


@pytest.fixture
def raw() -> Iterator[Raw]:
    made = Raw()
    yield made
    made.close()


@pytest.fixture
def name() -> str:
    return f"records-{uuid.uuid4()}"


def opened(name: str) -> ChromaStore:
    return ChromaStore(RemoteServer(shared_server().url, "", "default_tenant", "default_database"), name)


@pytest.fixture
def store(name: str) -> Iterator[ChromaStore]:
    with opened(name) as made:
        yield made


def point(number: int = 0, text: str = "hello", **metadata: object) -> Point:
    payload = {"text": text, "metadata": metadata, "headrace": {"document": f"s:{number}"}}
    return Point(PointId(str(uuid.UUID(int=number))), ONES, payload)


def test_other_readers_find_the_text_and_flat_metadata(store: ChromaStore, raw: Raw, name: str) -> None:
    one = point(text="Hej", title="A", page=3, ratio=0.5, draft=True, tags=["x", "y"], tree={"a": 1}, odd=["x", 1])
    store.ensure(8)
    store.upsert(columns(one))
    records = raw.records(name)
    fields = records["metadatas"][0]
    assert records["documents"] == ["Hej"]
    whole = json.loads(fields.pop("headrace"))
    assert fields == {
        "title": "A",
        "page": 3,
        "ratio": 0.5,
        "draft": True,
        "tags": ["x", "y"],
        "headrace_unjudged": ["odd"],
    }
    assert {"text": "Hej", **whole} == one.payload


def test_a_payload_without_a_text_and_one_whose_text_is_none_come_back(store: ChromaStore) -> None:
    store.ensure(8)
    payloads: list[dict[str, Any]] = [{"headrace": {"a": 1}}, {"text": None}, {"text": 3, "metadata": None}, {}]
    points = [Point(PointId(str(uuid.UUID(int=row))), ONES, payload) for row, payload in enumerate(payloads)]
    store.upsert(columns(*points))
    assert dict(store.scan()) == {one.id: one.payload for one in points}
    assert len(store.search(Query(ONES, 9, [Filter("a", "not_in", ("x",))]))) == len(payloads)


def test_floats_come_back_to_the_last_digit_and_are_found(store: ChromaStore) -> None:
    dice = np.random.default_rng(3)
    floats = [float(one) for one in np.frombuffer(dice.bytes(8 * 200), "<f8") if np.isfinite(one)]
    floats += [-0.0, 0.1 + 0.2, 2.9999999999999996, 5e-324, 1.7976931348623157e308]
    store.ensure(8)
    points = [point(row, at=value) for row, value in enumerate(floats)]
    store.upsert(columns(*points))
    assert {payload["metadata"]["at"].hex() for _, payload in store.scan()} == {value.hex() for value in floats}
    for row, value in [*enumerate(floats)][-25:]:
        hits = store.search(Query(ONES, 500, [Filter("at", "in", (value,))]))
        assert [hit.id for hit in hits] == [points[row].id]
        at_least = store.search(Query(ONES, 500, [Filter("at", ">=", (value,))]))
        assert len(at_least) == sum(other >= value for other in floats)
    assert len(store.search(Query(ONES, 500, [Filter("at", "not_in", (3,))]))) == len(floats)


def test_a_field_that_is_no_longer_in_a_record_is_not_read_and_not_found(store: ChromaStore) -> None:
    store.ensure(8)
    store.upsert(columns(point(1, draft="yes")))
    store.upsert(columns(point(1)))
    assert dict(store.scan())[point(1).id]["metadata"] == {}
    assert store.search(Query(ONES, 5, [Filter("draft", "in", ("yes",))])) == []


@pytest.mark.parametrize("field", ["headrace", "headrace_unjudged", "#a", "$a", "", "chroma:document", "chroma:x"])
def test_a_field_whose_name_chroma_cannot_hold_is_kept_and_found(store: ChromaStore, field: str) -> None:
    store.ensure(8)
    store.upsert(columns(point(1, **{field: 3}), point(2)))
    assert dict(store.scan())[point(1).id]["metadata"] == {field: 3}
    assert [hit.id for hit in store.search(Query(ONES, 5, [Filter(field, "in", (3,))]))] == [point(1).id]
    assert [hit.id for hit in store.search(Query(ONES, 5, [Filter(field, ">", (2,))]))] == [point(1).id]
    assert [hit.id for hit in store.search(Query(ONES, 5, [Filter(field, "not_in", (3,))]))] == [point(2).id]


def test_a_search_goes_on_until_enough_records_pass(store: ChromaStore) -> None:
    store.ensure(8)
    store.upsert(columns(*(point(row, at=["x", row]) for row in range(400))))
    hits = store.search(Query(ONES, 3, [Filter("at", "in", (399,)), Filter("at", "in", ("x",))]))
    assert [hit.id for hit in hits] == [point(399).id]


def test_records_of_others_are_shown_as_they_are(store: ChromaStore, raw: Raw, name: str) -> None:
    store.ensure(8)
    collection = raw("GET", f"/collections/{name}")["id"]
    theirs = {"ids": ["a"], "embeddings": [[1.0] * 8], "documents": ["theirs"], "metadatas": [{"headrace": "no JSON"}]}
    raw("POST", f"/collections/{collection}/upsert", theirs)
    assert dict(store.scan()) == {"a": {"text": "theirs", "metadata": {"headrace": "no JSON"}}}
    assert store.count() == 1


@pytest.mark.parametrize("payload", [{"metadata": {"a": {1, 2}}}, {"text": "\ud800"}, {"headrace": {"document": b"x"}}])
def test_what_is_no_plain_json_is_refused_and_nothing_is_written(store: ChromaStore, payload: dict[str, Any]) -> None:
    store.ensure(8)
    with pytest.raises(DocumentError, match="expected plain JSON") as raised:
        store.upsert(columns(point(1), Point(PointId(str(uuid.UUID(int=2))), ONES, payload)))
    assert raised.value.reason == "bad-payload"
    assert store.count() == 0


def test_metadata_of_others_on_a_collection_survives_a_mark(store: ChromaStore, raw: Raw, name: str) -> None:
    raw.create(name, metadata={"owner": "Ann"}, configuration={"hnsw": {"space": "cosine"}})
    store.ensure(8)
    store.mark(Sentinel("line", 1, "space"))
    store.mark(Sentinel("line", 2, "space"))
    collection = raw("GET", f"/collections/{name}")
    assert collection["metadata"].keys() == {"owner", "headrace_dimension", "headrace_sentinel"}
    assert collection["metadata"]["owner"] == "Ann"
    assert collection["configuration_json"]["hnsw"]["space"] == "cosine"


def test_a_collection_of_another_distance_is_refused(store: ChromaStore, raw: Raw, name: str) -> None:
    raw.create(name)
    with pytest.raises(CollectionError, match="compares by l2, expected cosine"):
        store.ensure(8)


def test_a_collection_of_another_dimension_is_refused(store: ChromaStore, raw: Raw, name: str) -> None:
    made = raw.create(name, configuration={"hnsw": {"space": "cosine"}})
    raw("POST", f"/collections/{made['id']}/upsert", {"ids": ["a"], "embeddings": [[1.0] * 7]})
    with pytest.raises(CollectionError, match="7 dimensions, the model makes 8"):
        store.ensure(8)


def test_two_collections_of_one_database_do_not_touch_each_other(name: str) -> None:
    with opened(name) as one, opened(f"{name}-2") as other:
        one.ensure(8)
        other.ensure(4)
        one.upsert(columns(point(1)))
        one.mark(Sentinel("line", 1, "space"))
        assert (other.count(), other.sentinel(), list(other.scan())) == (0, None, [])
        other.delete([point(1).id])
        assert one.count() == 1


def test_reading_creates_nothing(store: ChromaStore, raw: Raw, name: str) -> None:
    assert (store.count(), store.sentinel(), list(store.scan())) == (0, None, [])
    assert (store.present([point(1).id]), store.search(Query(ONES, 3))) == (set(), [])
    store.delete([point(1).id])
    assert name not in {collection["name"] for collection in raw("GET", "/collections")}


def test_a_collection_that_was_removed_is_told_and_can_be_made_again(store: ChromaStore, raw: Raw, name: str) -> None:
    store.ensure(8)
    store.upsert(columns(point(1)))
    raw("DELETE", f"/collections/{name}")
    with pytest.raises(ServiceError, match="was it removed"):
        store.upsert(columns(point(2)))
    with pytest.raises(ServiceError, match="no collection"):
        store.upsert(columns(point(2)))
    assert store.count() == 0
    store.ensure(8)
    store.upsert(columns(point(2)))
    assert (store.count(), store.sentinel()) == (1, None)


def test_a_scan_shows_every_record_although_others_are_deleted_and_written(store: ChromaStore, name: str) -> None:
    points = [point(row) for row in range(4 * PAGE)]
    store.ensure(8)
    store.upsert(columns(*points))
    seen: list[PointId] = []
    with opened(name) as other:
        for position, (one, _) in enumerate(store.scan()):
            seen.append(one)
            if position % PAGE == PAGE - 1:
                other.delete([gone.id for gone in points[:50]])
                del points[:50]
                other.upsert(columns(*(point(10_000 + position + more) for more in range(20))))
    assert len(seen) == len(set(seen))
    assert {one.id for one in points} <= set(seen)


def test_every_name_that_the_settings_allow_is_a_collection_of_its_own(raw: Raw) -> None:
    names = ["kb", "a..b", "a--b", "a.", "a", "10.0.0.1", "A.b-c_d", "x" * 100]
    stores = [opened(name) for name in names]
    for row, store in enumerate(stores):
        store.ensure(8)
        store.upsert(columns(point(row)))
    for row, store in enumerate(stores):
        assert [one for one, _ in store.scan()] == [point(row).id]
        store.close()
    made = {collection["name"] for collection in raw("GET", "/collections")}
    assert {"a--b", "A.b-c_d", "x" * 100, "headrace-kb-74fec0c3"} <= made


def test_a_closed_store_refuses_further_calls(store: ChromaStore) -> None:
    store.ensure(8)
    store.close()
    with pytest.raises(ServiceError, match="used after it was closed"):
        store.count()
