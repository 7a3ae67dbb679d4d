"""A report as JSON, and back."""

from typing import Any

import pytest

from tasks.records import EmbeddingKey
from tasks.sync.report import Documents, Outcome, Report, report_from
from tasks.windows import Spent


def test_a_report_comes_back_from_its_json() -> None:
    report = Report("trial", run="1", outcome=Outcome.WITHHELD, documents=Documents(listed=3), notes=["a note"])
    report.aside.update(["binary"])
    assert report_from(report.as_json()) == report


def test_a_text_that_two_workers_have_embedded_is_counted_for_both() -> None:
    """Each of its first two points needs one of them; the third reuses it."""
    run, key = Spent(), EmbeddingKey(b"k" * 16)
    for _ in range(2):
        worker = Spent()
        worker.add({key: 3}, [3])
        run.merge(worker)
    assert [run.use(key) for _ in range(3)] == [True, True, False]
    assert (run.texts_paid, run.tokens_paid, run.unwritten) == (2, 6, 0)


def test_a_report_of_another_version_is_read_as_far_as_it_is_known() -> None:
    shape: Any = Report("trial").as_json()
    del shape["chunks"]["unwritten"], shape["aside"]
    shape["chunks"]["new"] = shape["new"] = 3
    assert report_from(shape) == Report("trial")


@pytest.mark.parametrize(("name", "code"), [("done", 0), ("partial", 1), ("withheld", 25), ("interrupted", 130)])
def test_an_outcome_is_found_by_its_name_and_knows_its_exit_code(name: str, code: int) -> None:
    assert Report("trial", outcome=Outcome(name)).exit_code == code
