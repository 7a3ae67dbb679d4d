"""A pipeline whose ledger is in several databases: one plan, one report, one guard, one collection."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.read import read_pipeline
from tasks.ledger.copies import widespread
from tasks.load.listed import Listed
from tasks.session import open_ledger, open_session
from tasks.slices import shard_of
from tests.conftest import Outcome, Pipeline
from tests.shard_workers import RUNNER, InThisProcess, side_by_side

SHARDS = 3
MODULE = """\
from pathlib import Path

def documents():
    for line in (Path(__file__).parent / "rows.txt").read_text().split():
        name, _, text = line.partition("=")
        yield name, text.replace("_", " "), {}
"""


@pytest.fixture(params=["in turn", "side by side"])
def sharded(pipeline: Pipeline, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Files, which are listed as a whole, and rows of a function, which are listed by shards."""
    text = pipeline.config.read_text().replace("embedder:", "  - {kind: python, function: rows:documents}\nembedder:")
    if request.param == "side by side":
        text = side_by_side(text)
        monkeypatch.setattr("tasks.sync.run.WORTH_WORKERS", 1)
        monkeypatch.setattr("tasks.system.here.LastingProcess", InThisProcess)
    pipeline.config.write_text(f"{text}shards: {SHARDS}\n")
    (pipeline.folder / "rows.py").write_text(MODULE)
    set_rows(pipeline, {f"r{number}": f"Row_number_{number}" for number in range(30)})
    return pipeline


def set_rows(pipeline: Pipeline, rows: dict[str, str]) -> None:
    (pipeline.folder / "rows.txt").write_text("\n".join(f"{name}={text}" for name, text in rows.items()))


def rows(pipeline: Pipeline) -> dict[str, str]:
    lines = (pipeline.folder / "rows.txt").read_text().split()
    return {name: text for name, _, text in (line.partition("=") for line in lines)}


def on(pipeline: Pipeline, *words: str) -> Outcome:
    return pipeline.run(words[0], str(pipeline.config), *words[1:])


def ledger(pipeline: Pipeline, shard: int) -> Path:
    return pipeline.folder / f"state/trial.db.{shard + 1}-of-{SHARDS}"


def known(pipeline: Pipeline, shard: int) -> set[str]:
    with sqlite3.connect(ledger(pipeline, shard)) as connection:
        return {document for (document,) in connection.execute("SELECT id FROM document")}


def without_shards(pipeline: Pipeline) -> Pipeline:
    """The same sources in another state and collection, in one piece."""
    text = pipeline.config.read_text().replace(f"shards: {SHARDS}\n", "").replace(RUNNER, "")
    config = pipeline.folder / "whole.yaml"
    config.write_text(text.replace("state/", "whole/").replace("./db", "./whole/db"))
    return Pipeline(pipeline.folder, config, pipeline.run)


def test_the_report_and_the_plan_are_those_of_a_ledger_in_one_piece(sharded: Pipeline) -> None:
    whole = without_shards(sharded)

    def counts(report: Any) -> Any:
        return {name: report[name] for name in ("documents", "chunks", "tokens", "plan_hash")}

    for change in (
        dict[str, str](),
        {"r1": "Another_text", "r2": "Row_number_1", "r99": "A_new_one"},
    ):
        set_rows(sharded, rows(sharded) | change)
        planned = [on(one, "plan", "--json").json for one in (sharded, whole)]
        assert counts(planned[0]) == counts(planned[1])
        done = [one.sync() for one in (sharded, whole)]
        assert counts(done[0]) == counts(done[1])
        assert [one["code"] for one in done] == [0, 0]
    calm = sharded.sync()
    assert (calm["documents"]["unchanged"], calm["chunks"]["written"], calm["notes"]) == (34, 0, [])


def test_each_shard_has_the_documents_that_hash_to_it(sharded: Pipeline) -> None:
    sharded.sync()
    parts = [known(sharded, shard) for shard in range(SHARDS)]
    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts)) == 33
    for shard, part in enumerate(parts):
        assert {shard_of(document, SHARDS) for document in part} == {shard}


def test_status_search_verify_and_where_see_one_pipeline(sharded: Pipeline) -> None:
    sharded.sync()
    assert on(sharded, "status", "--json").json["counts"]["documents"] == 33
    hits = on(sharded, "search", "Row number 17", "--json").json["hits"]
    assert hits[0]["document"] == "rows-documents:r17"
    verified = on(sharded, "verify", "--json")
    assert (verified.code, verified.json["ok"], verified.json["records"]) == (0, True, 34)
    assert on(sharded, "where", "--json").json["collection"] == "trial"


def test_what_most_documents_have_in_common_is_counted_over_all_shards(sharded: Pipeline) -> None:
    set_rows(sharded, dict.fromkeys(rows(sharded), "The_same_words"))
    sharded.sync()
    with closing(open_ledger(read_pipeline(sharded.config), read_only=True)) as ledger:
        assert widespread(ledger, 0.5) == [("rows-documents:r0", 30)]
        assert widespread(ledger, 0.95) == []


def test_a_shard_may_lose_all_its_documents_and_the_pipeline_may_not(sharded: Pipeline) -> None:
    sharded.config.write_text(
        sharded.config.read_text() + "deletions: {max_count: 0, max_fraction: 0.5, max_weekly_fraction: 0.5}\n"
    )
    sharded.sync()
    kept = {name: text for name, text in rows(sharded).items() if shard_of(f"rows-documents:{name}", SHARDS)}
    set_rows(sharded, kept)
    report = sharded.sync()
    assert (report["code"], report["documents"]["deleted"]) == (0, 30 - len(kept))
    for folder in (sharded.folder / "docs").iterdir():
        if folder.is_file():
            folder.unlink()
    set_rows(sharded, {"other": "Words"})
    withheld = sharded.sync()
    assert (withheld["code"], withheld["documents"]["deleted"]) == (25, 0)
    assert withheld["documents"]["withheld"] == len(kept) + 2
    confirmed = sharded.sync("--confirm-deletes", withheld["plan_hash"])
    assert (confirmed["code"], confirmed["documents"]["deleted"]) == (0, len(kept) + 2)


def test_documents_of_all_shards_that_become_alike_are_withheld_together(sharded: Pipeline) -> None:
    texts = {name: "_".join(f"{name}w{number}" for number in range(40)) for name in rows(sharded)}
    set_rows(sharded, texts)
    sharded.sync()
    login = "_".join(f"Please_log_in_{number}" for number in range(40))
    set_rows(sharded, dict.fromkeys(texts, login))
    withheld = sharded.sync()
    assert (withheld["code"], withheld["documents"]["withheld"]) == (25, 30)


def test_a_document_that_moves_into_another_shard_is_a_move(sharded: Pipeline) -> None:
    sharded.config.write_text(sharded.config.read_text() + "deletions: {max_count: 0, max_fraction: 0}\n")
    sharded.sync()
    renamed = {(name if name != "r5" else "x5"): text for name, text in rows(sharded).items()}
    assert shard_of("rows-documents:r5", SHARDS) != shard_of("rows-documents:x5", SHARDS)
    set_rows(sharded, renamed)
    report = sharded.sync()
    assert (report["code"], report["documents"]["moved"], report["chunks"]["embedded"]) == (0, 1, 0)


def test_another_number_of_shards_is_refused_and_a_rebuild_moves_without_paying(sharded: Pipeline) -> None:
    sharded.sync()
    for count in (1, 5):
        text = sharded.config.read_text()
        sharded.config.write_text(text.replace(f"shards: {SHARDS}", f"shards: {count}"))
        for command in ("plan", "sync"):
            refused = on(sharded, command)
            assert (refused.code, "headrace rebuild" in refused.err) == (2, True)
        assert on(sharded, "search", "Row number 3", "--json").json["hits"][0]["document"] == "rows-documents:r3"
        sharded.config.write_text(text)
    sharded.config.write_text(text.replace(f"shards: {SHARDS}", "shards: 5"))
    built = on(sharded, "rebuild", "--json")
    assert (built.code, built.json["switched"], built.json["tokens"]["embedded"]) == (0, True, 0)
    calm = sharded.sync()
    assert (calm["code"], calm["documents"]["unchanged"]) == (0, 33)
    assert (sharded.folder / "state/trial.db.2.5-of-5").exists()


@pytest.mark.parametrize("lost", ["gone", "older"])
def test_a_shard_that_was_lost_or_restored_is_noticed_and_mended(sharded: Pipeline, lost: str) -> None:
    sharded.sync()
    copy = ledger(sharded, 1).read_bytes()
    set_rows(sharded, {name: f"{text}_changed" for name, text in rows(sharded).items()})
    sharded.sync()
    if lost == "gone":
        ledger(sharded, 1).unlink()
    else:
        ledger(sharded, 1).write_bytes(copy)
    mended = sharded.sync()
    assert (mended["code"], mended["tokens"]["embedded"]) == (0, 0)
    assert "the shard 2-of-3" in mended["notes"][0]
    assert on(sharded, "verify", "--json").json["ok"]
    assert sharded.sync()["notes"] == []


def test_a_run_that_was_overtaken_writes_to_no_shard(sharded: Pipeline) -> None:
    sharded.sync()
    for shard in range(SHARDS):
        with sqlite3.connect(ledger(sharded, shard)) as connection:
            connection.execute("UPDATE lease SET epoch = 99")
    refused = on(sharded, "sync")
    assert (refused.code, "another run took the lease" in refused.err) == (3, True)


def test_rows_of_one_id_are_set_aside_in_whichever_shard(sharded: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.load.spool.AT_A_TIME", 2)
    with (sharded.folder / "rows.txt").open("a") as file:
        file.write("\nr3=Twice\nr8=Twice")
    report = sharded.sync()
    assert (report["code"], report["documents"]["quarantined"], report["documents"]["listed"]) == (1, 2, 33)
    assert on(sharded, "search", "Row number 29", "--json").json["hits"][0]["document"] == "rows-documents:r29"


def test_the_places_of_rows_come_back_from_disk_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.load.spool.AT_A_TIME", 1)
    listed: Listed[object] = Listed("s", SHARDS)
    places = [(1, "two"), (True, 0.1), (date(2026, 1, 2),), (b"bytes", None), 7, ("\ud800", 2**70)]
    for number, place in enumerate(places):
        listed.add(f"d{number}", f"hint {number}", number, place)
    assert listed.listing().refs == ()
    seen: dict[str, object] = {}
    for shard in range(SHARDS):
        for ref in listed.refs(shard):
            assert ref == (f"s:{ref.path}", "s", ref.path, f"hint {ref.path[1:]}", int(ref.path[1:]))
            seen[ref.path] = listed.from_here(ref, 1)[0][1]
    assert seen == {f"d{number}": place for number, place in enumerate(places)}
    assert [type(place) for place in seen.values()].count(tuple) == 5


def test_a_source_that_cannot_be_listed_loses_nothing(sharded: Pipeline) -> None:
    sharded.sync()
    (sharded.folder / "rows.txt").unlink()
    report = sharded.sync()
    assert (report["code"], report["documents"]["deleted"], report["documents"]["unchanged"]) == (1, 0, 3)


def test_one_shard_at_a_time_has_its_cache_in_memory(sharded: Pipeline) -> None:
    """Whether they take turns, or are asked for some documents, in one call or in many."""
    sharded.sync()
    with open_session(read_pipeline(sharded.config)) as session:
        documents = [*session.ledger.documents()]
        assert {shard_of(document, SHARDS) for document in documents} == {*range(SHARDS)}
        for asked in ([documents], [[document] for document in documents]):
            for some in asked:
                session.ledger.points(some)
            opened = {file.path for file in psutil.Process().open_files() if file.path.endswith(f"-of-{SHARDS}")}
            assert len(opened) == 1


def test_a_canary_is_looked_for_in_its_shard(sharded: Pipeline) -> None:
    text = sharded.config.read_text()
    sharded.config.write_text(text.replace("rows:documents}", "rows:documents, canary: r7}"))
    assert sharded.sync()["code"] == 0
    sharded.config.write_text(text.replace("rows:documents}", "rows:documents, canary: r77}"))
    assert "the canary 'r77'" in " ".join(sharded.sync()["notes"])


def test_a_killed_run_is_gone_on_with(sharded: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second window is never flipped."""
    from tasks.ledger.ledger import Ledger

    flipped: list[int] = []
    flip: Callable[..., None] = Ledger.flip

    def die(self: Ledger, changes: Any) -> None:
        if len(flipped) == 1:
            raise KeyboardInterrupt
        flipped.append(1)
        flip(self, changes)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "flip", die)
        assert on(sharded, "sync").code == 130
    assert sharded.sync()["code"] == 0
    assert on(sharded, "verify", "--json").json["ok"]
    assert sharded.sync()["documents"]["unchanged"] == 33
