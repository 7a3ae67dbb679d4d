"""A lost or restored store, a lost or restored ledger: noticed and mended by the next run, paid for by nobody."""

import copy
from collections.abc import Callable

import pytest

from tasks.database.database import Database
from tasks.ledger.tables import LEDGER
from tasks.upsert.memory import MemoryStore
from tests.faults.cases import START, edited
from tests.faults.oracle import divergence
from tests.faults.snapshots import restored, snapshot
from tests.faults.world import Lines, Machine

LATER = edited(a__1="alpha\nnew", c__1=None, e__1="eps")


def titled(texts: dict[str, str]) -> Lines:
    return Lines(texts, dict.fromkeys(texts, "T"))


def settle(machine: Machine, source: Lines) -> None:
    machine.settle(source)


def lose_store(machine: Machine) -> None:
    machine.store = MemoryStore()


def lose_ledger(machine: Machine) -> None:
    machine.ledger = Database("sqlite://", LEDGER, "ledger")


@pytest.mark.parametrize("disaster", [lose_store, lose_ledger])
@pytest.mark.parametrize("texts", [START, LATER], ids=["the source stays", "the source changes"])
def test_what_is_lost_is_rebuilt(disaster: Callable[[Machine], None], texts: dict[str, str]) -> None:
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    paid = len(machine.embedder.paid)
    disaster(machine)
    report = machine.run(titled(texts))
    settle(machine, titled(texts))
    assert divergence(machine, titled(texts)) == []
    new = set(texts.values()) - set(START.values())
    assert len(machine.embedder.paid) - paid == len({"new", "eps"} if new else ())
    assert report.notes


def test_a_store_from_an_older_backup_is_brought_up_to_date() -> None:
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    backup = copy.deepcopy(machine.store)
    machine.run(titled(LATER))
    paid = len(machine.embedder.paid)
    machine.store = backup
    machine.run(titled(LATER))
    settle(machine, titled(LATER))
    assert divergence(machine, titled(LATER)) == []
    assert len(machine.embedder.paid) == paid


def test_a_ledger_from_an_older_backup_is_brought_up_to_date() -> None:
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    backup = snapshot(machine.ledger)
    machine.run(titled(LATER))
    paid = len(machine.embedder.paid)
    machine.ledger = restored(backup, LEDGER)
    machine.run(titled(LATER))
    settle(machine, titled(LATER))
    assert divergence(machine, titled(LATER)) == []
    assert len(machine.embedder.paid) == paid


def test_an_old_ledger_that_comes_back_after_a_new_one_took_its_place_waits_for_a_word() -> None:
    """Both have marked the collection from one place, so both may still be in use."""
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    backup = snapshot(machine.ledger)
    lose_ledger(machine)
    machine.run(titled(LATER))
    paid = len(machine.embedder.paid)
    machine.ledger = restored(backup, LEDGER)
    report = machine.run(titled(LATER))  # which says that word
    assert report.notes[0].startswith("taken over from the pipeline 'faulty'")
    settle(machine, titled(LATER))
    assert divergence(machine, titled(LATER)) == []
    assert len(machine.embedder.paid) == paid


def test_without_the_sentinel_a_lost_store_would_go_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check that the check matters: this is what other tools do."""
    monkeypatch.setattr("tasks.sync.incarnation.find_doubt", lambda *_, **__: "")
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    lose_store(machine)
    machine.run(titled(START))
    assert divergence(machine, titled(START)) != []


def test_a_scope_that_cannot_be_listed_keeps_its_documents() -> None:
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    partial = titled(edited(c__1=None))
    partial.hidden = "a/"
    report = machine.run(partial)
    assert report.documents.deleted == 1
    assert report.outcome == "partial"
    partial.hidden = ""
    assert divergence(machine, partial) == []
    assert {document for _, state, document in machine.rows() if state == "LIVE"} >= {"s:a/1", "s:a/2"}


def test_documents_that_cannot_be_read_stay_as_they_were() -> None:
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    source = Lines(START, dict.fromkeys(START, "T2"))
    source.unreadable = set(START)
    report = machine.run(source)
    assert (report.documents.quarantined, report.documents.listed) == (6, 6)
    assert divergence(machine, titled(START)) == []


def test_a_clock_that_jumps_deletes_nothing_early_and_pays_nothing() -> None:
    machine = Machine(MemoryStore())
    machine.run(titled(START))
    paid = len(machine.embedder.paid)
    for jump in (86_400.0, -172_800.0, 86_400.0):
        machine.clock += jump
        machine.run(titled(START))
    machine.run(titled(edited(c__1=None)))
    machine.clock -= 3600
    settle(machine, titled(START))
    assert divergence(machine, titled(START)) == []
    assert len(machine.embedder.paid) == paid
