"""Wrong answers come from the index, and no right one is among them."""

from collections.abc import Iterator

import pytest

from config.read import read_pipeline
from tasks.finetune.negatives import MARGIN, with_negatives
from tasks.finetune.pairs import Example
from tasks.session import Session, open_session
from tests.conftest import Pipeline

ASKED = "grease the bearing of the pump"
PAGES = {
    "answer.md": "Grease the bearing of the pump every week, at rest.",
    "unmarked.md": "Grease the bearing of the pump every week.",
    "near.md": "The bearing of the mill is of bronze.",
    "twin.md": "Grease the bearing of the pump every week, AT REST!",
    "held.md": "The pump is driven by the bearing shaft.",
    "far.md": "Soup and bread.",
}
ANSWER = Example(ASKED, PAGES["answer.md"], "docs:answer.md")
OTHER = Example("what is for lunch", PAGES["far.md"], "docs:far.md")


@pytest.fixture
def session(pipeline: Pipeline) -> Iterator[Session]:
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    for name, text in PAGES.items():
        pipeline.write(name, text)
    pipeline.config.write_text(pipeline.config.read_text().replace("path: ./docs", "path: ./docs\n    name: docs"))
    assert pipeline.sync()["code"] == 0
    with open_session(read_pipeline(pipeline.config), read_only=True) as opened:
        yield opened


def negatives(session: Session, count: int, *barred: str) -> tuple[str, ...]:
    """Those of the first of two examples; none where it is left out for having too few."""
    completed = with_negatives(session, [ANSWER, OTHER], count, barred)
    return next((one.negatives for one in completed if one.document == ANSWER.document), ())


def test_the_nearest_that_is_clearly_worse_is_taken(session: Session) -> None:
    assert 0.5 < MARGIN < 1
    near = {PAGES["near.md"], PAGES["held.md"]}
    assert {*negatives(session, 2)} == near
    assert negatives(session, 1)[0] in near


def test_what_scores_like_the_answer_or_says_the_same_is_not_wrong(session: Session) -> None:
    many = negatives(session, 3)
    assert not {PAGES["unmarked.md"], PAGES["twin.md"], PAGES["answer.md"]} & {*many}


def test_documents_of_later_parts_are_not_learnt_from(session: Session) -> None:
    assert negatives(session, 2, "docs:held.md", "docs:near.md", "docs:far.md") == ()
    assert PAGES["held.md"] not in negatives(session, 2, "docs:held.md")


def test_another_document_that_answers_the_same_question_is_no_negative(session: Session) -> None:
    examples = [ANSWER, Example(ASKED.upper() + "?", PAGES["near.md"], "docs:near.md"), OTHER]
    for one in with_negatives(session, examples, 1, ()):
        if one is not OTHER and one.document != "docs:far.md":
            assert one.negatives != (PAGES["near.md"],)


def test_those_that_are_given_come_first(session: Session) -> None:
    given = Example(ASKED, ANSWER.passage, ANSWER.document, ("soap is not grease", "two", "three"))
    assert with_negatives(session, [given, OTHER], 2, ())[0].negatives == ("soap is not grease", "two")
    assert with_negatives(session, [given, OTHER], 0, ())[0].negatives == ()


def test_an_answer_that_is_in_no_document_is_measured_itself(session: Session) -> None:
    good, bad = Example(ASKED, f"{ASKED}.", ""), Example(ASKED, "Zebras graze.", "")
    assert with_negatives(session, [good, OTHER], 1, ())[0].negatives[0] in {*PAGES.values()} - {PAGES["far.md"]}
    assert with_negatives(session, [bad, OTHER], 1, ())[0].negatives == (OTHER.passage,)
    long = Example(ASKED, f"{ASKED}. " * 2_000, "")  # as pairs of other corpora may be: more than any model reads
    assert with_negatives(session, [long, OTHER], 1, ())[0].negatives[0] in {*PAGES.values()}
