"""Texts that are larger than a record of Pinecone."""

import pytest

from tasks.errors import TransientError
from tasks.records import Query
from tasks.upsert.pinecone.store import SENTINEL
from tests.contracts.store.pinecone import open_pinecone
from tests.contracts.store.trial import holds, point
from tests.pinecone_server import Fault, PineconeServer
from tests.points import Point, columns
from tests.tasks.upsert.pinecone.conftest import Open

TEXTS = "c:texts"
LARGE = "".join(f"{number} ü日🙂\n\x00" for number in range(9000))


def large(text: str = LARGE, **metadata: object) -> Point:
    one = point("large", **metadata)
    return Point(one.id, one.vector, {**one.payload, "text": text})


@pytest.mark.parametrize("text", ["x" * 40_800, "x" * 41_000, "ü" * 41_000, "\x00" * 41_000, "🙂" * 41_000, LARGE])
@pytest.mark.parametrize("metadata", [{}, {"tags": ["x" * 50] * 760}], ids=["small", "large"])
def test_a_text_of_any_size_is_read_whole(make: Open, text: str, metadata: dict[str, object]) -> None:
    store, small, one = make(), point("small"), large(text, **metadata)
    store.upsert(columns(small, one))
    holds(store, small, one)
    assert [hit.payload for hit in store.search(Query(one.vector, 1))] == [one.payload]


def test_other_readers_find_its_beginning(server: PineconeServer, make: Open) -> None:
    store, one = make(), large()
    store.upsert(columns(one))
    beginning = server.records("c")[one.id][1]["text"]
    assert LARGE.startswith(beginning)
    assert len(beginning) > 5_000
    assert beginning + "".join(part["text"] for _, part in server.records(TEXTS).values()) == LARGE


def test_it_goes_with_its_record(server: PineconeServer, make: Open) -> None:
    store, one, other = make(), large(), large("y" * 90_000)
    store.upsert(columns(one, other))
    store.close()
    store = open_pinecone(server.url, "c")
    store.delete([one.id, point().id])
    holds(store, other)
    assert {name.partition(":")[0] for name in server.records(TEXTS)} == {other.id}
    store.drop()
    assert server.records(TEXTS) == server.records("c") == {}
    store.close()


def test_small_texts_ask_for_nothing_more(server: PineconeServer, make: Open) -> None:
    store, one = make(), point()
    store.upsert(columns(one))
    store.search(Query(one.vector, 1))
    store.delete([one.id])
    assert server.paths() == ["/vectors/upsert", "/query", "/query", "/vectors/delete"]


@pytest.mark.parametrize("step", range(4))
def test_a_run_that_ends_between_the_writes_leaves_nothing_wrong(server: PineconeServer, make: Open, step: int) -> None:
    store, stays, one = make(), point("stays"), large()
    store.upsert(columns(stays))
    server.faults.append(Fault("/vectors/upsert", 0, after=step))
    with pytest.raises(TransientError):
        store.upsert(columns(one))
    holds(store, stays)
    store.close()
    again = open_pinecone(server.url, "c")
    again.delete([one.id])
    assert server.records(TEXTS) == {}
    again.upsert(columns(one))
    holds(again, stays, one)
    again.close()


@pytest.mark.parametrize("step", range(3))
def test_a_deletion_that_fails_is_done_by_the_next(server: PineconeServer, make: Open, step: int) -> None:
    store, one = make(), large()
    store.upsert(columns(one))
    server.faults.append(Fault(["/vectors/delete", "/vectors/fetch", "/vectors/delete"][step], 0, after=step // 2))
    with pytest.raises(TransientError):
        store.delete([one.id])
    store.delete([one.id])
    assert (server.records(TEXTS), set(server.records("c"))) == ({}, {SENTINEL})


def test_nobody_finds_a_record_before_its_text_or_after(server: PineconeServer, make: Open) -> None:
    store, one = make(), large()
    reader = open_pinecone(server.url, "c")
    server.delay = 0.1
    for change in (lambda: store.upsert(columns(one)), lambda: store.delete([one.id])):
        change()
        for _ in range(4):
            assert all(payload == one.payload for _, payload in reader.scan())
    reader.close()


def test_a_text_that_others_have_damaged_is_told(
    server: PineconeServer, make: Open, caplog: pytest.LogCaptureFixture
) -> None:
    store, one = make(), large()
    store.upsert(columns(one))
    server.records(TEXTS)
    del server.indexes["trial"].spaces[TEXTS].shown[f"{one.id}:1"]
    [(_, payload)] = store.scan()
    assert payload["text"] != LARGE
    assert f"parts of texts are missing: {one.id}:1; run verify" in caplog.text
    store.upsert(columns(one))
    holds(store, one)
