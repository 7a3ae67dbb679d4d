"""Judgments in the layouts that people have."""

from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.evaluate.judgments import Judgments, Span, read_judgments
from tasks.records import DocumentId

A, B, TWIN = DocumentId("s:docs/a.md"), DocumentId("s:b.txt"), DocumentId("t:docs/b.rst")


def read(folder: Path, queries: str, qrels: str, spans: str | None = None) -> Judgments:
    paths = [folder / name for name in ("queries", "qrels", "spans")]
    for path, text in zip(paths, (queries, qrels, spans), strict=True):
        if text is not None:
            path.write_text(text)
    return read_judgments(paths[0], paths[1], paths[2] if spans is not None else None, [A, B, TWIN])


BEIR = "query-id\tcorpus-id\tscore\nq1\tdocs/a.md\t2\nq2\tb.txt\t1\nq2\tmissing.txt\t1\nq3\tdocs/a.md\t0\n"


def test_beirs_files_are_read(tmp_path: Path) -> None:
    queries = '{"_id": "q1", "text": "one?"}\n\n{"_id": "q2", "text": "two?"}\n{"_id": "q3", "text": "three?"}\n'
    judgments = read(tmp_path, queries, BEIR)
    assert [(one.id, one.text, one.grades) for one in judgments.queries] == [
        ("q1", "one?", {A: 2}),
        ("q2", "two?", {B: 1}),
    ]
    assert judgments.unknown == ("missing.txt",)


def test_trecs_four_columns_are_read(tmp_path: Path) -> None:
    judgments = read(tmp_path, "q1 one?\nq2\ttwo words?\n", "q1 0 docs/a.md 3\nq2 0 b.txt 1\nq2 0 docs/a.md -1\n")
    assert [(one.text, one.grades) for one in judgments.queries] == [("one?", {A: 3}), ("two words?", {B: 1})]


@pytest.mark.parametrize("name", ["s:docs/a.md", "docs/a.md", "docs/a", "a.md", "a"])
def test_a_document_goes_by_any_name_that_is_its_alone(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, "q1 one?", f"q1\t{name}\t1").queries[0].grades == {A: 1}


def test_a_name_of_two_documents_is_nobodys(tmp_path: Path) -> None:
    judgments = read(tmp_path, "q1 one?", "q1\tb\t1\nq1\ta\t1")
    assert (judgments.queries[0].grades, judgments.unknown) == ({A: 1}, ("b",))


def test_places_of_answers_are_read(tmp_path: Path) -> None:
    spans = "query-id\tcorpus-id\tstart\tend\nq1\tdocs/a.md\t5\t9\nq1\tmissing.txt\t1\t2\n"
    assert read(tmp_path, "q1 one?", "q1\ta\t1", spans).queries[0].spans == (Span(A, 5, 9),)


def test_files_of_other_programs_are_read(tmp_path: Path) -> None:
    asked = '\ufeff{"id": 1, "query": "one?"}', " ", '{"_id": "2", "text": "two?"}', '{"_id": 3, "text": "three?"}'
    said = "\ufeff", "qid\tQ0\tdocno\trel", "1\t0\tdocs\\a.md\t1.0", "1\t0\ta\t2", "1\t0\ta\t1", " 2\t0\t./b.txt \t1"
    queries, qrels = "\r\n".join(asked), "\r\n".join(said)
    judgments = read(tmp_path, queries, qrels)
    assert [(one.id, one.grades) for one in judgments.queries] == [("1", {A: 2}), ("2", {B: 1})]
    assert judgments.unasked == 1


def test_a_whole_path_comes_before_a_part_of_another(tmp_path: Path) -> None:
    (tmp_path / "q").write_text("q1 one?")
    (tmp_path / "r").write_text("q1\ta\t1")
    documents = [DocumentId("s:a"), DocumentId("s:a.md"), DocumentId("s:x/a.md")]
    assert read_judgments(tmp_path / "q", tmp_path / "r", None, documents).queries[0].grades == {DocumentId("s:a"): 1}


@pytest.mark.parametrize(
    ("queries", "qrels", "place"),
    [
        ('{"_id": "q1"}', "q1\ta\t1", r"queries, line 1: .*expected"),
        ("q1", "q1\ta\t1", r"queries, line 1: 'q1'"),
        ('{"_id": "q1", "text": null}', "q1\ta\t1", r"queries, line 1: .*expected"),
        ('{"_id": "q1", "text": " "}', "q1\ta\t1", r"with words in the text"),
        ('["q1", "one?"]\n[1]', "q1\ta\t1", r"queries, line 2"),
        ("q1 one?\nq1 two?", "q1\ta\t1", r"queries, line 2: .*'q1' has another one further up"),
        ("q1 one?", "q1\ta\tgood\nq1\ta\t--1", r"qrels, line 2"),
        ("q1 one?", "q1\ta\t" + "9" * 5000, r"qrels, line 1"),
        ("q1 one?", "q1\ta\t2.5", r"qrels, line 1"),
        ("1 one?", "1\ta\tyes", r"qrels, line 1"),
        ("q1 one?", "q1\ta\t1\nq1\ta\tgood", r"qrels, line 2: .*whole number as grade"),
        ("q1 one?", "q1\ta\t0", r"no query of .* has a judgment"),
        ("q1 one?", "q9\ta\t1", r"no query of .* has a judgment"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, queries: str, qrels: str, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        read(tmp_path, queries, qrels)


@pytest.mark.parametrize("spans", ["q1\ta\t9\t5", "q1\ta\t-1\t5", "q1\ta\tx\t5\nq1\ta\tx\t5", "q1\ta\t5"])
def test_places_that_are_none_are_told(tmp_path: Path, spans: str) -> None:
    with pytest.raises(ConfigError, match=r"spans.*expected"):
        read(tmp_path, "q1 one?", "q1\ta\t1", spans)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_judgments(tmp_path / "none", tmp_path / "none", None, [])
