"""A bad document is set aside, its last good version stays, and nobody pays for it again before it changes."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import DocumentError
from tasks.ledger.ledger import Ledger
from tasks.ledger.quarantine import LONGEST_DELAY_SECONDS, put_quarantined
from tasks.load.files.local import Files
from tasks.records import DocumentId
from tasks.windows import Quarantined
from tests.conftest import Pipeline

BINARY = b"\x00\x01\x02\x03" * 100


def settle(path: Path) -> None:
    """Old enough that its time stamp promises something."""
    then = time.time() - 60
    os.utime(path, (then, then))


def quarantine(pipeline: Pipeline) -> Any:
    return pipeline.run("status", str(pipeline.config), "--json").json["quarantine"]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were read."""
    seen: list[str] = []
    real = Files.read

    def read(self: Files, ref: Any) -> Any:
        seen.append(ref.path)
        return real(self, ref)

    monkeypatch.setattr(Files, "read", read)
    return seen


def bad(pipeline: Pipeline, name: str = "b.md") -> None:
    path = pipeline.folder / "docs" / name
    path.write_bytes(BINARY)
    settle(path)


def test_a_bad_document_is_not_read_again_before_it_changes(pipeline: Pipeline, reads: list[str]) -> None:
    for name in ("a.md", "b.md", "sub/c.txt"):
        settle(pipeline.folder / "docs" / name)
    pipeline.sync()
    bad(pipeline)
    first = pipeline.sync()
    reads.clear()
    second = pipeline.sync()
    assert reads == []
    for report in (first, second):
        assert (report["code"], report["outcome"]) == (1, "partial")
        assert (report["documents"]["quarantined"], report["documents"]["served_old"]) == (1, 1)
        assert report["aside"] == {"binary": 1}
        assert "1 binary" in report["notes"][0]
    assert pipeline.texts()["b.md"] == ["# Beta\n\nSecond page."]
    one = quarantine(pipeline)[0]
    assert (one["reason"], one["attempts"], one["next_try"]) == ("binary", 1, None)


def test_a_changed_document_is_tried_again_at_once(pipeline: Pipeline) -> None:
    bad(pipeline)
    pipeline.sync()
    pipeline.write("b.md", "# Beta\n\nWell again.\n")
    report = pipeline.sync()
    assert (report["code"], report["documents"]["quarantined"]) == (0, 0)
    assert quarantine(pipeline) == []


def test_it_is_tried_again_on_request(pipeline: Pipeline, reads: list[str]) -> None:
    bad(pipeline)
    pipeline.sync()
    reads.clear()
    pipeline.sync("--retry-quarantined")
    assert "b.md" in reads
    assert quarantine(pipeline)[0]["attempts"] == 2


def test_a_document_that_leaves_the_source_leaves_the_quarantine(pipeline: Pipeline) -> None:
    bad(pipeline, "new.md")
    pipeline.sync()
    (pipeline.folder / "docs/new.md").unlink()
    assert pipeline.sync()["code"] == 0
    assert quarantine(pipeline) == []


def test_every_listed_document_is_counted_once(pipeline: Pipeline) -> None:
    pipeline.write("e.md", "")
    pipeline.sync()
    bad(pipeline)
    bad(pipeline, "new.md")
    pipeline.write("a.md", "# Alpha\n\nEdited.\n")
    pipeline.write("d.md", "Added.\n")
    for report in (pipeline.plan(), pipeline.sync(), pipeline.sync()):
        documents = report["documents"]
        kinds = ("added", "changed", "unchanged", "empty", "quarantined", "held")
        assert documents["listed"] == sum(documents[kind] for kind in kinds) == 6
        assert (documents["quarantined"], documents["served_old"]) == (2, 1)


def test_what_may_pass_is_tried_again_after_a_growing_delay(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db", "trial")
    failure = Quarantined(DocumentId("s:a"), "unavailable", "the server is slow", "hint")
    delays: list[float] = []
    for _ in range(12):
        with ledger.database.write() as transaction:
            put_quarantined(transaction, [failure], now=1000.0)
            row = transaction.execute("SELECT next_try, attempts FROM quarantine").one_or_none()
        delays.append(row[0] - 1000.0)
    assert delays[:4] == [300.0, 600.0, 1200.0, 2400.0]
    assert delays[-1] == LONGEST_DELAY_SECONDS
    with ledger.database.write() as transaction:
        put_quarantined(transaction, [Quarantined(failure.id, "unavailable", "", "another hint")], now=1000.0)
        assert transaction.execute("SELECT attempts FROM quarantine").scalar() == 1
    ledger.close()


def test_a_delay_that_is_over_lets_the_document_in(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(pipeline.folder / "docs/b.md")
    real = Files.read

    def fail(self: Files, ref: Any) -> Any:
        if ref.path == "b.md":
            raise DocumentError("unreadable", "b.md cannot be read")
        return real(self, ref)

    with monkeypatch.context() as patch:
        patch.setattr(Files, "read", fail)
        assert pipeline.sync()["aside"] == {"unreadable": 1}
    assert pipeline.sync()["aside"] == {"unreadable": 1}, "its delay is not over"
    with sqlite3.connect(pipeline.folder / "state/trial.db") as ledger:
        ledger.execute("UPDATE quarantine SET next_try = 5.0")
    ledger.close()
    assert pipeline.sync()["code"] == 0


def test_a_clock_that_was_years_ahead_delays_nothing(pipeline: Pipeline) -> None:
    settle(pipeline.folder / "docs/b.md")
    pipeline.sync()
    with sqlite3.connect(pipeline.folder / "state/trial.db") as ledger:
        hint = ledger.execute("SELECT hint FROM document WHERE id = 'docs:b.md'").fetchone()[0]
        ledger.execute(
            "INSERT INTO quarantine (document, reason, message, attempts, since, hint, version, next_try)"
            " VALUES ('docs:b.md', 'unavailable', '', 1, 9e9, ?, '', 9e9)",
            (hint,),
        )
    ledger.close()
    assert pipeline.sync()["documents"]["quarantined"] == 0
