"""`headrace verify` finds what differs between ledger and collection, and mends it without paying."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.records import PointId
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.conftest import Pipeline
from tests.points import Point, columns


def verify(pipeline: Pipeline, *options: str) -> Any:
    outcome = pipeline.run("verify", str(pipeline.config), "--json", *options)
    return {**json.loads(outcome.out), "code": outcome.code}


def edit(pipeline: Pipeline, change: Callable[[QdrantStore], None]) -> None:
    """Somebody else writes into the collection."""
    store = QdrantStore(str(pipeline.folder / "db"), "trial")
    store.ensure(64)
    change(store)
    store.close()


def first(store: QdrantStore) -> tuple[PointId, dict[str, Any]]:
    ours = (record for record in store.scan() if "headrace" in record[1])
    return min(ours, key=lambda record: str(record[1]["headrace"]["document"]))


def lose(store: QdrantStore) -> None:
    store.delete([first(store)[0]])


def add_orphan(store: QdrantStore) -> None:
    point, payload = first(store)
    vector = store.vectors([point])[point]
    store.upsert(columns(Point(PointId("00000000-0000-5000-8000-000000000001"), vector, payload)))


def alter(store: QdrantStore) -> None:
    point, payload = first(store)
    vector = store.vectors([point])[point]
    store.upsert(columns(Point(point, vector, {**payload, "text": "something else"})))


def turn(store: QdrantStore) -> None:
    point, payload = first(store)
    other = np.roll(store.vectors([point])[point], 1)
    store.upsert(columns(Point(point, other, payload)))


def rename_space(store: QdrantStore) -> None:
    point, payload = first(store)
    vector = store.vectors([point])[point]
    store.upsert(columns(Point(point, vector, {**payload, "headrace": {**payload["headrace"], "space": "0" * 16}})))


DAMAGES: dict[str, Callable[[QdrantStore], None]] = {
    "missing": lose,
    "orphaned": add_orphan,
    "stale": alter,
    "wrong_vector": turn,
    "wrong_space": rename_space,
}


def test_a_sound_collection_verifies(pipeline: Pipeline) -> None:
    pipeline.sync()
    found = verify(pipeline)
    assert (found["code"], found["ok"], found["records"], found["sampled"], found["repaired"]) == (0, True, 4, 4, 0)
    assert "all is well" in pipeline.run("verify", str(pipeline.config)).out


@pytest.mark.parametrize("kind", list(DAMAGES))
def test_each_kind_of_damage_is_found_and_mended_for_nothing(pipeline: Pipeline, kind: str) -> None:
    pipeline.sync()
    before = pipeline.texts()
    edit(pipeline, DAMAGES[kind])
    found = verify(pipeline)
    assert (found["code"], found["ok"], found[kind]) == (1, False, 1)
    others = {name for name in DAMAGES if found[name]} - {kind}
    assert not others
    assert "--repair" in pipeline.run("verify", str(pipeline.config)).out
    mended = verify(pipeline, "--repair")
    assert (mended["code"], mended["ok"], mended["repaired"]) == (0, True, 1)
    assert mended["sync"]["tokens"]["embedded"] == 0
    assert verify(pipeline)["ok"]
    assert pipeline.texts() == before


def test_a_second_record_for_one_place_is_found(pipeline: Pipeline) -> None:
    """Two live points of one document at one position: the ledger itself is wrong."""
    pipeline.sync()
    before = pipeline.texts()
    edit(pipeline, add_orphan)
    with sqlite3.connect(pipeline.folder / "state/trial.db") as ledger:
        ledger.execute(
            "INSERT INTO point (id, document, key, embedding, state) SELECT '00000000-0000-5000-8000-000000000001',"
            " document, key, embedding, state FROM point WHERE document = 'docs:a.md' LIMIT 1"
        )
    ledger.close()
    found = verify(pipeline)
    assert found["duplicate"] + found["stale"] >= 1
    assert verify(pipeline, "--repair")["ok"]
    assert pipeline.texts() == before


def test_a_foreign_record_is_reported_and_never_touched(pipeline: Pipeline) -> None:
    pipeline.sync()
    foreign = PointId("00000000-0000-5000-8000-00000000000f")
    edit(pipeline, lambda store: store.upsert(columns(Point(foreign, np.ones(64, np.float32), {"text": "mine"}))))
    for options in ((), ("--repair",)):
        found = verify(pipeline, *options)
        assert (found["code"], found["ok"], found["foreign"]) == (0, True, 1)
    edit(pipeline, lose)
    assert verify(pipeline, "--repair")["ok"]
    (pipeline.folder / "docs/a.md").unlink()
    pipeline.sync()
    store = QdrantStore(str(pipeline.folder / "db"), "trial")
    assert store.present([foreign]) == {foreign}
    store.close()


@pytest.mark.parametrize("left", [{}, {"text": "mine"}, {"text": None, "metadata": None, "headrace": "gone"}])
def test_a_record_of_ours_that_lost_its_bookkeeping_is_written_again(pipeline: Pipeline, left: dict[str, Any]) -> None:
    """It is none of somebody else's, for the ledger knows its id; until then a search shows what is left of it."""
    pipeline.sync()
    edit(pipeline, lambda store: store.upsert(columns(Point(first(store)[0], np.ones(64, np.float32), left))))
    for mode in ("dense", "hybrid"):
        outcome = pipeline.run("search", str(pipeline.config), "page", "--mode", mode, "--context", "1", "--json")
        assert (outcome.code, len(outcome.json["hits"])) == (0, 4), outcome.err
    found = verify(pipeline)
    assert (found["code"], found["stale"], found["foreign"]) == (1, 1, 0)
    assert verify(pipeline, "--repair")["repaired"] == 1
    assert verify(pipeline)["ok"]


def test_a_run_notices_by_itself_that_records_are_gone(pipeline: Pipeline) -> None:
    pipeline.sync()
    before = pipeline.texts()
    edit(pipeline, lose)
    report = pipeline.sync()
    assert (report["code"], report["tokens"]["embedded"], report["chunks"]["written"]) == (0, 0, 1)
    assert "has lost 1 records" in report["notes"][0]
    assert pipeline.texts() == before


def test_what_cannot_be_mended_yet_is_not_called_well(pipeline: Pipeline) -> None:
    """The document whose point is lost cannot be read: neither verify nor the report may say that it is served."""
    pipeline.sync()
    edit(pipeline, lose)
    path = pipeline.folder / "docs/a.md"
    text = path.read_text()
    path.write_bytes(b"\0\1\2" * 100)
    assert (found := verify(pipeline, "--repair"))["code"] == 1
    assert found["sync"]["documents"]["quarantined"] == 1
    again = verify(pipeline)
    assert (again["code"], again["ok"], again["missing"], again["unfinished"]) == (1, False, 0, 1)
    assert "to be written by the next sync" in pipeline.run("verify", str(pipeline.config)).out
    edit(pipeline, lose)
    report = pipeline.sync()
    assert (report["code"], report["documents"]["served_old"]) == (1, 0)
    path.write_text(text)
    assert (done := pipeline.sync())["code"] == 0
    assert done["chunks"]["embedded"] == 0
    assert verify(pipeline)["ok"]


def test_a_sample_of_no_vectors_reads_the_records_only(pipeline: Pipeline) -> None:
    pipeline.sync()
    edit(pipeline, turn)
    found = verify(pipeline, "--sample", "0")
    assert (found["ok"], found["sampled"]) == (True, 0)


def test_what_was_never_synced_cannot_be_verified(pipeline: Pipeline) -> None:
    outcome = pipeline.run("verify", str(pipeline.config))
    assert outcome.code == 2
    assert "run sync" in outcome.err


def test_a_lost_collection_is_all_missing(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.sync()
    before = pipeline.texts()
    (pipeline.folder / "db").rename(tmp_path / "elsewhere")
    assert verify(pipeline)["missing"] == 4
    mended = verify(pipeline, "--repair")
    assert (mended["ok"], mended["sync"]["tokens"]["embedded"]) == (True, 0)
    assert pipeline.texts() == before
