"""Whoever watches a run hears how much there is, and how far it is although nothing ends for minutes."""

import threading
import time

import pytest

from tasks.console import progress, standing
from tasks.console.progress import TerminalProgress
from tasks.console.standing import Standing
from tasks.sync.report import Report


def report(embedded: int = 0, tokens: int = 0, cost_usd: float = 0.0) -> Report:
    made = Report("trial", cost_usd=cost_usd)
    made.chunks.embedded, made.tokens.embedded = embedded, tokens
    return made


@pytest.mark.parametrize(
    ("documents", "size_bytes", "line"),
    [
        (1234, 5_600_000, "1,234 documents to read, 5.6 MB"),
        (1, 999, "1 document to read, 999 bytes"),
        (2, 0, "2 documents to read"),
        (2, 3_210_000_000, "2 documents to read, 3.2 GB"),
        (0, 0, "no document to read: nothing has changed since the last run"),
    ],
)
def test_the_first_line_says_how_much_there_is(documents: int, size_bytes: int, line: str) -> None:
    assert Standing(documents, size_bytes, report).first_line() == line


@pytest.mark.parametrize(
    ("seconds", "pace", "left"),
    [
        (10, "50", "30 s"),
        (30, "17", "90 s"),
        (31, "16", "93 s"),
        (1000, "0.5", "50 min"),
        (4000, "0.1", "3.3 h"),
    ],
)
def test_pace_and_time_left_are_reckoned_from_what_is_done(
    seconds: float, pace: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    at = Standing(2000, 0, lambda: report(7000, 89_000, 0.12345))
    assert at.line() == "0 of 2,000 documents, 7,000 chunks embedded, 89,000 tokens, $0.1235"
    at.done = 500
    monkeypatch.setattr(standing.time, "monotonic", lambda: now + seconds)
    assert at.line().endswith(f", {pace} documents/s, about {left} left")
    at.done = 2000
    assert "left" not in at.line()


def test_a_line_a_minute_comes_while_no_window_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.1)
    so_far = report()
    with TerminalProgress("trial", quiet=False) as shown:
        shown.begin(3, 4000, lambda: so_far)
        so_far.chunks.embedded = 5
        time.sleep(0.35)
        shown.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "trial: 3 documents to read, 4.0 kB"
    assert lines[1] == "trial: 0 of 3 documents, 5 chunks embedded, 0 tokens"
    assert 2 < len(lines) < 6, "a window that ends has no line of its own"
    time.sleep(0.2)
    assert capsys.readouterr().err == "", "nothing ticks after the end"


def test_a_program_hears_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    before = threading.active_count()
    with TerminalProgress("trial", quiet=True) as shown:
        shown.begin(3, 4000, report)
        assert threading.active_count() == before
        time.sleep(0.1)
        shown.advance(3)
    assert capsys.readouterr() == ("", "")
