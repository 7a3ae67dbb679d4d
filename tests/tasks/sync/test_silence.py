"""A source that brings nothing new is told of after its hours: in each report, and to an alert once in that time."""

import shutil
from typing import Any

import pytest

from tasks.database.database import Database
from tests.conftest import Pipeline

HOUR = 3600.0


@pytest.fixture
def later(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Syncs so many hours after the start; the source may be silent for 24."""
    text = pipeline.config.read_text().replace("path: ./docs", "path: ./docs\n    silent_after_hours: 24")
    pipeline.config.write_text(text)

    def sync(hours: float) -> Any:
        monkeypatch.setattr(Database, "now", lambda _: 1.8e9 + hours * HOUR)
        return pipeline.sync()

    return sync


def test_a_source_is_named_once_in_its_hours_and_its_note_stays(later: Any) -> None:
    named, noted = [], []
    for hours in (0, 23, 25, 30, 50, 60):
        report = later(hours)
        named.append(report["silent"])
        noted.append([note for note in report["notes"] if "has brought nothing new for" in note])
        assert report["outcome"] == "done", "a quiet source is no failure"
    assert named == [[], [], ["docs"], [], ["docs"], []]
    assert noted[:2] == [[], []]
    assert all(noted[2:])
    assert "nothing new for 25 h, and its silent_after_hours is 24" in noted[2][0]


@pytest.mark.parametrize("change", ["new", "changed", "deleted"])
def test_whatever_changes_ends_the_silence(later: Any, pipeline: Pipeline, change: str) -> None:
    later(0)
    assert later(25)["silent"]
    if change == "deleted":
        (pipeline.folder / "docs/b.md").unlink()
    else:
        pipeline.write("new.md" if change == "new" else "b.md", "Another text of this page.\n")
    assert later(26)["notes"] == []
    assert later(49)["silent"] == []
    assert later(51)["silent"] == ["docs"]


def test_a_source_that_cannot_be_read_is_silent_too(later: Any, pipeline: Pipeline) -> None:
    later(0)
    shutil.rmtree(pipeline.folder / "docs")
    report = later(25)
    assert (report["outcome"], report["silent"]) == ("failed", ["docs"])
    assert "no source can be listed" in report["notes"][-1], "why it stopped is said last"


def test_without_hours_nothing_is_silent(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.sync()
    monkeypatch.setattr(Database, "now", lambda _: 1e11)
    assert pipeline.sync()["silent"] == []
