"""The page of a run in the Prefect UI: first what matters, then the counts."""

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tasks.console.summary import summary
from tasks.ledger.quarantine import QuarantinedDocument
from tasks.records import DocumentId
from tasks.sync.report import Outcome, Report
from tasks.windows import Remark


def page(made: Report, quarantine: list[QuarantinedDocument]) -> str:
    """As a browser shows it."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(summary(made, quarantine))


def quarantined(number: int, **changes: Any) -> QuarantinedDocument:
    entry = QuarantinedDocument(f"docs:{number}.md", "damaged", "it is cut off", 1, 1000.0 + number, None)
    return replace(entry, **changes)


def test_outcome_and_remedy_come_first_and_the_counts_after() -> None:
    made = Report("trial", outcome=Outcome.PARTIAL, cost_usd=0.0123, notes=["quarantined: 1 damaged"])
    made.documents.listed, made.documents.added, made.documents.served_old = 1234, 7, 1
    made.tokens.embedded = 98_765
    lines = page(made, []).splitlines()
    assert lines[1].startswith("<p><strong>Partly done: mend what is named below")
    text = page(made, [])
    for words in ("1,234 listed, 7 added, 1 served old", "98,765 embedded", "$0.0123", "quarantined: 1 damaged"):
        assert words in text
    assert "Quarantined" not in text


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_line(outcome: Outcome) -> None:
    assert page(Report("trial", outcome=outcome), []).count("<strong>") == 1


def test_ten_documents_are_named_the_newest_first_and_the_rest_is_counted() -> None:
    text = page(Report("trial"), [quarantined(number) for number in range(1012)])
    assert text.count("it is cut off") == 10
    assert text.index("docs:1011.md") < text.index("docs:1002.md")
    assert "docs:1001.md" not in text
    assert "and 1,002 more" in text
    assert text.count("when it changes") == 10


@pytest.mark.parametrize(
    "name", ["a|b.md", "<img src=x>.md", "[a](http://b).md", "*a*_b_`c`.md", "a\nb\x1b[2J.md", "&lt;.md"]
)
def test_a_name_is_shown_and_never_obeyed(name: str) -> None:
    text = page(Report("trial"), [quarantined(1, document=name, message=f"{name} cannot be read")])
    assert text.count("<td") == 5 * 2 + 4, "a name adds no cell"
    for tag in ("<img", "<a ", "<em>", "<code>"):
        assert tag not in text
    plain = summary(Report("trial"), [quarantined(1, document=name)])
    assert "\x1b" not in plain


def test_a_long_message_is_cut() -> None:
    assert len(summary(Report("trial"), [quarantined(1, message="x" * 100_000)])) < 2000


def test_what_was_read_only_in_part_is_named_and_the_rest_is_counted() -> None:
    made = Report("trial")
    made.count_remarks([Remark(DocumentId(f"docs:{number}.pdf"), "9 of 10 pages <b>") for number in range(12)])
    text = page(made, [])
    assert text.count("9 of 10 pages &lt;b&gt;") == 10
    assert "docs:9.pdf" in text
    assert "and 2 more" in text
    assert "Read in part" not in page(Report("trial"), [])
