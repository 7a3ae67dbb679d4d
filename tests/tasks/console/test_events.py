"""What an alert can listen to: an event for a run's outcome, and others beside it."""

from typing import Any

import pytest

from tasks.console import events
from tasks.sync.report import Documents, Outcome, Report


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Payloads by event."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(events, "emit_event", lambda name, _resource, payload: found.update({name: payload}))
    return found


@pytest.mark.parametrize(("most", "is_told"), [(0, True), (4, True), (5, False)])
def test_a_quarantine_is_an_event_once_it_holds_more_than_is_put_up_with(
    told: dict[str, Any], most: int, *, is_told: bool
) -> None:
    events.announce_sync(Report("trial", outcome=Outcome.PARTIAL, documents=Documents(quarantined=5)), most)
    assert "headrace.sync.partial" in told
    assert ("headrace.sync.quarantine" in told) is is_told


def test_what_is_silent_or_could_not_be_listed_is_an_event(told: dict[str, Any]) -> None:
    events.announce_sync(Report("trial", outcome=Outcome.PARTIAL, unlisted=1, silent=["wiki"]), 0)
    assert told.keys() == {"headrace.sync.partial", "headrace.sync.unlisted", "headrace.sync.silent"}
    events.announce_sync(Report("trial"), 0)
    assert "headrace.sync.done" in told


def test_what_stopped_a_run_is_said_once(told: dict[str, Any]) -> None:
    events.announce("sync.failed", "trial", Report("trial", notes=["the disk is full"]).as_json(), "the disk is full")
    assert told["headrace.sync.failed"]["notes"] == ["the disk is full"]
