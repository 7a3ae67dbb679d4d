"""Writes show late, and yet what was acknowledged is what is read."""

import time

import pytest

from tasks.errors import TransientError
from tasks.records import Filter, Sentinel
from tasks.upsert.pinecone import index as connection
from tests.contracts.store.pinecone import open_pinecone
from tests.contracts.store.trial import holds, names, point
from tests.pinecone_server import PineconeServer
from tests.points import Point, columns
from tests.tasks.upsert.pinecone.conftest import Open


@pytest.mark.parametrize("tells_numbers", [True, False])
def test_every_read_shows_what_was_acknowledged(server: PineconeServer, make: Open, tells_numbers: bool) -> None:
    server.tells_numbers = tells_numbers
    store, many = make(), [point(f"{number}") for number in range(1200)]
    server.delay = 0.15
    store.upsert(columns(*many))
    assert store.present([many[0].id, many[-1].id]) == {many[0].id, many[-1].id}
    goes, old, *stay = many
    new = Point(old.id, point().vector, {**old.payload, "text": "new"})
    store.upsert(columns(new))
    assert [payload["text"] for one, payload in store.scan() if one == old.id] == ["new"]
    store.delete([goes.id])
    assert store.count() == 1199
    store.delete([one.id for one in stay])
    assert store.vectors([one.id for one in stay[:5]]) == {}
    store.upsert(columns(again := Point(new.id, point().vector, new.payload)))
    assert names(store, Filter("document", "in", ("1",))) == {"1"}
    holds(store, again)
    store.mark(Sentinel("line", 2, "space"))
    assert store.sentinel() == Sentinel("line", 2, "space")


def test_the_next_process_finds_what_the_last_one_wrote(server: PineconeServer, make: Open) -> None:
    store, one = make(), point()
    server.delay = 0.2
    store.upsert(columns(one))
    store.close()
    store = open_pinecone(server.url, "c")
    holds(store, one)
    store.close()


def test_a_mark_is_seen_by_everybody_once_it_is_made(server: PineconeServer, make: Open) -> None:
    store = make()
    server.delay = 0.2
    store.mark(Sentinel("line", 3, "space"))
    other = open_pinecone(server.url, "c")
    assert other.sentinel() == Sentinel("line", 3, "space")
    other.close()


@pytest.mark.parametrize("tells_numbers", [True, False])
def test_a_write_that_does_not_show_ends_the_wait(
    server: PineconeServer, make: Open, monkeypatch: pytest.MonkeyPatch, tells_numbers: bool
) -> None:
    server.tells_numbers = tells_numbers
    store = make()
    monkeypatch.setattr(connection, "VISIBLE_SECONDS", 0.2)
    server.delay = 60
    store.upsert(columns(point()))
    with pytest.raises(TransientError, match="does not show after 0 s what it acknowledged"):
        store.count()
    started = time.monotonic()
    store.close()  # what was acknowledged is safe, so no error
    assert time.monotonic() - started < 5


def test_a_read_without_writes_waits_for_nothing(server: PineconeServer, make: Open) -> None:
    store = make()
    assert store.count() == 0
    server.paths()
    store.present([point().id])
    store.present([point().id])
    assert server.paths() == ["/vectors/fetch"] * 2
