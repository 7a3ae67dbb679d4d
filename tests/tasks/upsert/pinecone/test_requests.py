"""What is asked of the service, how often and how much at once, and what happens where it fails."""

import numpy as np
import pytest

from tasks.errors import ConfigError, DocumentError, HeadraceError, ServiceError, TransientError
from tasks.records import PointId, Query, Sentinel
from tasks.upsert.pinecone.store import SENTINEL
from tests.contracts.store.pinecone import open_pinecone
from tests.contracts.store.trial import holds, point
from tests.pinecone_server import KEY, MOST_BYTES, Fault, PineconeServer
from tests.points import Point, columns
from tests.tasks.upsert.pinecone.conftest import Open


def wide(count: int, dimension: int, text: str = "x") -> list[Point]:
    rows = np.random.default_rng(3).normal(size=(count, dimension)).astype(np.float32)
    return [Point(one.id, row, {**one.payload, "text": text}) for one, row in zip(points(count), rows, strict=True)]


def points(count: int) -> list[Point]:
    return [point(f"{number}") for number in range(count)]


def test_a_run_without_changes_asks_for_the_sentinel_and_no_record(server: PineconeServer, make: Open) -> None:
    store = make()
    store.upsert(columns(*points(300)))
    store.mark(Sentinel("line", 1, "space"))
    store.close()
    server.paths()
    store = open_pinecone(server.url, "c")
    assert store.sentinel() == Sentinel("line", 1, "space")
    assert store.count() == 300
    store.ensure(8)
    store.mark(Sentinel("line", 2, "space"))
    store.close()
    assert server.paths() == [
        "/indexes/trial",
        "/vectors/fetch",
        "/describe_index_stats",
        "/vectors/upsert",
        "/query",
    ]


def test_an_upsert_is_cut_by_bytes_and_by_number(server: PineconeServer, make: Open) -> None:
    store = make(dimension=1024)
    server.sizes.clear()
    store.upsert(columns(*wide(600, 1024, "y" * 2000)))
    assert max(server.sizes) <= MOST_BYTES
    assert len(server.paths()) <= 1.3 * sum(server.sizes) / MOST_BYTES + 1
    assert store.count() == 600
    small = make("small", 1024)
    small.upsert(columns(*wide(40, 1024)))
    assert server.paths() == ["/vectors/upsert"]


def test_a_request_holds_no_more_than_a_thousand_records_or_ids(server: PineconeServer, make: Open) -> None:
    store, many = make(), points(2500)
    store.upsert(columns(*many))
    assert server.paths() == ["/vectors/upsert"] * 3
    store.delete([one.id for one in many])
    assert server.paths() == ["/vectors/delete"] * 3
    holds(store)


@pytest.mark.parametrize("status", [0, 429, 500, 503])
@pytest.mark.parametrize("is_late", [False, True])
def test_a_fault_amid_an_upsert_loses_nothing_and_the_next_one_heals(
    server: PineconeServer, make: Open, status: int, is_late: bool
) -> None:
    store, many = make(), points(3500)
    server.faults.append(Fault("/vectors/upsert", status, is_late=is_late, after=1))
    with pytest.raises(TransientError):
        store.upsert(columns(*many))
    assert store.count() >= 500  # one request came before it, and others may have been on their way
    store.upsert(columns(*many))
    holds(store, *many)
    server.faults.append(Fault("/vectors/delete", status, is_late=is_late, after=1))
    with pytest.raises(TransientError):
        store.delete([one.id for one in many])
    store.delete([one.id for one in many])
    holds(store)


def test_an_upsert_that_takes_a_part_is_no_success(server: PineconeServer, make: Open) -> None:
    store, many = make(), points(20)
    server.faults.append(Fault("/vectors/upsert", partial=7))
    with pytest.raises(TransientError, match="took 7 of 20 records"):
        store.upsert(columns(*many))
    store.upsert(columns(*many))
    holds(store, *many)


@pytest.mark.parametrize("status", [429, 503])
def test_what_fails_is_sent_once_and_says_when_to_come_back(server: PineconeServer, make: Open, status: int) -> None:
    store = make()
    store.present([point().id])  # what `make` wrote has shown
    server.paths()
    calls = {
        "/vectors/upsert": lambda: store.upsert(columns(point())),
        "/vectors/delete": lambda: store.delete([point().id]),
        "/vectors/fetch": lambda: store.present([point().id]),
        "/vectors/list": lambda: list(store.scan()),
        "/query": lambda: store.search(Query(point().vector, 1)),
        "/describe_index_stats": store.count,
    }
    for path, call in calls.items():
        server.faults.append(Fault(path, status, {"Retry-After": "7"}))
        with pytest.raises(TransientError) as caught:
            call()
        assert caught.value.retry_after_seconds == 7
        assert server.paths() == [path]
    fresh = open_pinecone(server.url, "c")
    server.faults.append(Fault("/indexes", status, {"Retry-After": "7"}))
    with pytest.raises(TransientError) as caught:
        fresh.count()
    assert (caught.value.retry_after_seconds, server.paths()) == (7, ["/indexes/trial"])
    fresh.close()


def test_an_answer_that_cannot_be_read_is_worth_another_try(server: PineconeServer, make: Open) -> None:
    store = make()
    server.faults.append(Fault("/vectors/fetch", 200, body=b"<html>"))
    with pytest.raises(TransientError, match="cannot be read"):
        store.present([point().id])
    server.faults.append(Fault("/vectors/fetch", 200, {"Content-Encoding": "gzip"}, body=b"no gzip"))
    with pytest.raises(TransientError, match="cannot be read"):
        store.present([point().id])


def test_a_record_that_is_too_large_is_refused_by_the_name_of_its_document(server: PineconeServer, make: Open) -> None:
    store, stays = make(), point("stays")
    large = [
        {"metadata": {"a": ["x" * 50] * 800}},
        {"headrace": {"document": "s:large", "a": "\n" * 13_800}},
    ]
    for part in large:
        one = point("large")
        bad = Point(one.id, one.vector, {**one.payload, **part})
        with pytest.raises(
            DocumentError, match=r"s:large: the metadata .* takes 4\d,\d{3} bytes, and Pinecone keeps 40,960"
        ) as caught:
            store.upsert(columns(stays, bad))
        assert caught.value.reason == "too-large"
    assert server.paths() == []


@pytest.mark.parametrize("part", [{"text": 3}, {"text": "\ud800"}, {"metadata": {"a": float("nan")}}, {"more": 1}])
def test_what_is_no_plain_json_is_refused_by_the_name_of_its_document(make: Open, part: dict[str, object]) -> None:
    store, one = make(), point("odd")
    with pytest.raises(DocumentError, match=r"s:odd: point .* cannot be stored"):
        store.upsert(columns(Point(one.id, one.vector, {**one.payload, **part})))
    assert store.count() == 0


@pytest.mark.parametrize("name", ["", "é", "x" * 513])
def test_an_id_that_pinecone_does_not_take_is_refused(make: Open, name: str) -> None:
    with pytest.raises(DocumentError, match="1 to 512 ASCII characters"):
        make().upsert(columns(point()._replace(id=PointId(name))))


def test_a_missing_key_is_a_matter_of_settings_and_comes_at_the_first_use(
    server: PineconeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config.stores import PineconeStore as Settings
    from tasks.upsert.pinecone.store import PineconeStore

    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    settings = Settings.model_validate({"kind": "pinecone", "index": "trial", "host": server.url})
    store = PineconeStore(settings, "c")
    with pytest.raises(ConfigError, match=r"no usable key for Pinecone.*PINECONE_API_KEY"):
        store.sentinel()
    store.close()
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    store = PineconeStore(settings, "c")
    assert store.sentinel() is None
    store.close()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 409, 412, 413, 422, 429, 500])
def test_a_key_shows_in_no_message(server: PineconeServer, make: Open, status: int) -> None:
    store = make()
    server.faults.append(Fault("/vectors/fetch", status, body=f'{{"message": "your key {KEY} it is"}}'.encode()))
    with pytest.raises(HeadraceError, match=r"your key \*\*\* it is") as caught:
        store.present([point().id])
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in repr(error)
        error = error.__cause__


def test_reading_creates_nothing(server: PineconeServer, make: Open) -> None:
    store = open_pinecone(server.url, "c")
    assert (store.sentinel(), store.count(), list(store.scan())) == (None, 0, [])
    store.close()
    assert server.indexes == {}
    make("other").upsert(columns(point()))
    store = open_pinecone(server.url, "c")
    assert (store.sentinel(), store.count(), list(store.scan())) == (None, 0, [])
    store.delete([point().id])
    with pytest.raises(ServiceError, match="no collection"):
        store.mark(Sentinel("line", 1, "space"))
    store.close()
    assert set(server.indexes["trial"].spaces) == {"other"}


def test_a_reader_that_was_not_told_of_us_finds_texts_and_fields(server: PineconeServer, make: Open) -> None:
    """As LangChain's PineconeVectorStore reads: metadata that is flat, and the text under one of its keys."""
    store, one = make(), point("a", title="Alpha", page=3, tags=["x", "y"], draft=False, none=None)
    store.upsert(columns(one))
    metadata = server.records("c")[one.id][1]
    assert metadata.pop("text") == "text of a"
    assert {
        "document": "a",
        "title": "Alpha",
        "page": 3,
        "tags": ["x", "y"],
        "draft": False,
    }.items() <= metadata.items()
    assert set(server.records("c")) == {one.id, SENTINEL}
    assert "text" not in server.records("c")[SENTINEL][1]


def test_records_of_somebody_else_are_read_as_far_as_they_can_be(server: PineconeServer, make: Open) -> None:
    store = make()
    vector = np.ones(8, dtype=np.float32)
    server.indexes["trial"].spaces["c"].shown |= {
        "theirs": (vector, {"text": "foreign", "page": 3.0}),
        "bare": (vector, {}),
        "odd": (vector, {"headrace": "no JSON"}),
    }
    assert dict(store.scan()) == {
        "theirs": {"text": "foreign", "metadata": {"page": 3}},
        "bare": {},
        "odd": {},
    }
    assert store.count() == 3
