"""Reports fit a terminal and say what they count, whatever the numbers are."""

import os
import pty
from io import BytesIO, StringIO, TextIOWrapper

import pytest

from tasks.console.terminal import shown, wrapped
from tasks.console.text import plan_text, report_text
from tasks.records import DocumentId
from tasks.sync.names import Move, Names
from tasks.sync.plan import PlanReport
from tasks.sync.report import Chunks, Documents, Outcome, Report, Seconds, Tokens, report_from

ROW = "  documents    12 added, 7 changed, 3 moved, 4 deleted, 1,198 unchanged (1,220 listed)"


def withheld() -> Report:
    names = Names(
        withheld=[DocumentId(f"docs:{number}.md") for number in range(12)],
        moved=[Move(DocumentId("docs:0.md"), DocumentId("docs:new.md"))],
    )
    documents = Documents(listed=30, added=3, unchanged=27, withheld=12, moved=1)
    return Report("trial", outcome=Outcome.WITHHELD, documents=documents, names=names, plan_hash="0123")


def test_a_long_line_goes_on_at_the_right_of_its_label() -> None:
    assert wrapped(ROW, 50) == (
        "  documents    12 added, 7 changed, 3 moved, 4\n"
        "               deleted, 1,198 unchanged (1,220\n"
        "               listed)"
    )
    assert wrapped(ROW, 200) == ROW
    assert wrapped("  ! a note that goes on and on", 20) == "  ! a note that goes\n    on and on"
    assert wrapped(f"    docs:{'x' * 60}.md (binary): no text", 40).splitlines()[-1] == "    (binary): no text"


def test_only_a_terminal_gets_wrapped_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        assert shown(ROW, terminal) == wrapped(ROW, 50)
    os.close(master)
    assert shown(f"\x1b[2J{ROW}", StringIO()) == rf"\x1b[2J{ROW}"
    assert shown(ROW, None) == ROW


def test_a_stream_that_cannot_say_everything_gets_escapes() -> None:
    narrow = TextIOWrapper(BytesIO(), encoding="ascii")
    assert shown("Größe", narrow) == r"Gr\xf6\xdfe"
    assert shown("Größe \udcff", TextIOWrapper(BytesIO(), encoding="utf-8")) == r"Größe \udcff"


def test_what_has_moved_stays_where_deletions_are_withheld() -> None:
    assert "  documents    3 added, 12 withheld, 27 unchanged (30 listed)\n" in report_text(withheld())
    text = plan_text(PlanReport(withheld(), None))
    assert text.startswith("trial: a sync would be withheld (exit code 25): something waits for your word\n")
    assert "  documents    would add 3 and withhold 12; 27 unchanged (30 listed)\n" in text
    assert "  plan hash    0123\n" in text
    assert "    docs:9.md\n    and 2 more" in text


def test_a_plan_tells_price_and_time() -> None:
    report = Report("trial", tokens=Tokens(embedded=1_234_567, reused=10), cost_usd=0.02469)
    assert "  tokens       would embed 1,234,567 for about $0.0247, 10 reused\n" in plan_text(PlanReport(report, 300))
    assert "  time         about 5 min of embedding" in plan_text(PlanReport(report, 300))
    cheap = Report("trial", tokens=Tokens(embedded=1), cost_usd=2e-8)
    assert "would embed 1 for about less than $0.0001" not in plan_text(PlanReport(cheap, None))
    assert "would embed 1 for less than $0.0001" in plan_text(PlanReport(cheap, None))


def test_a_run_that_stopped_says_what_it_paid_for_and_did_not_write() -> None:
    report = Report(
        "trial",
        outcome=Outcome.BUDGET,
        chunks=Chunks(embedded=1500, unwritten=1500),
        seconds=Seconds(total=1.5, embed=1),
    )
    text = report_text(report)
    assert text.startswith("trial: budget (exit code 4): the money limit was reached\n")
    assert "  chunks       1,500 embedded, 1,500 embedded but not written; 0 in the collection\n" in text
    assert "  time         1.50 s (embedding 1.00)" in text


def test_names_come_back_from_json_as_they_were() -> None:
    report = withheld()
    report.passed_over.update({".zip": 3})
    again = report_from(report.as_json())
    assert (again.names, again.passed_over) == (report.names, report.passed_over)
    shape = report.as_json()
    del shape["names"], shape["passed_over"], shape["model"]  # a run of an earlier version
    assert report_from(shape).names == Names()


def test_a_run_keeps_a_few_names_and_a_plan_all() -> None:
    for most, kept in ((20, 20), (None, 100)):
        names = Names(most=most)
        for start in range(0, 100, 30):
            names.add(names.empty, [DocumentId(str(number)) for number in range(start, min(start + 30, 100))])
        assert len(names.empty) == kept
