"""Several sources in one pipeline: each is listed, guarded and named for itself, and what they share is paid once."""

from pathlib import Path

import pytest

from tests.conftest import Pipeline

MORE = "  - {kind: files, path: ./more}\n"


def page(number: int, kind: str) -> str:
    return f"# {kind} {number}\n\nWhat {kind} says of the number {number}.\n"


@pytest.fixture
def two(pipeline: Pipeline) -> Pipeline:
    """Beside `docs` a source `more`, with forty documents."""
    pipeline.config.write_text(pipeline.config.read_text().replace("embedder:", f"{MORE}embedder:"))
    (pipeline.folder / "more").mkdir()
    for number in range(40):
        (pipeline.folder / f"more/{number:02}.md").write_text(page(number, "more"))
        pipeline.write(f"d{number:02}.md", page(number, "docs"))
    assert pipeline.sync()["code"] == 0
    return pipeline


def remove(folder: Path, names: str) -> None:
    for path in folder.glob(names):
        path.unlink()


def test_a_source_that_lists_nothing_does_not_hold_up_the_others(two: Pipeline) -> None:
    remove(two.folder / "more", "*")
    remove(two.folder / "docs", "d0[0-2].md")
    plan, report = two.plan(), two.sync()
    assert (report["code"], report["outcome"]) == (25, "withheld")
    assert (report["documents"]["deleted"], report["documents"]["withheld"]) == (3, 40)
    for name in ("documents", "plan_hash"):
        assert plan[name] == report[name], name
    assert any("source 'more' lists nothing at all" in note for note in report["notes"])
    remove(two.folder / "docs", "d03.md")
    report = two.sync("--confirm-deletes", report["plan_hash"])
    assert (report["code"], report["documents"]["deleted"], report["documents"]["withheld"]) == (0, 41, 0)


def test_the_limits_hold_for_each_source_by_its_own_documents(two: Pipeline) -> None:
    """A fraction that is large for one and small for all."""
    for number in range(200):
        two.write(f"e{number:03}.md", page(number, "extra"))
    assert two.sync()["code"] == 0
    remove(two.folder / "more", "[01]*.md")
    remove(two.folder / "docs", "e00*.md")
    report = two.sync()
    assert (report["documents"]["deleted"], report["documents"]["withheld"]) == (10, 20)
    assert any("source 'more': 20 of 40 documents would go, more than 10 need" in note for note in report["notes"])
    assert two.sync("--confirm-deletes", report["plan_hash"])["documents"]["deleted"] == 20


def test_a_source_that_cannot_be_listed_keeps_its_documents_and_the_others_go_on(two: Pipeline) -> None:
    (two.folder / "more").rename(two.folder / "away")
    remove(two.folder / "docs", "d0[0-2].md")
    two.write("new.md", "# New\n\nPage.\n")
    report = two.sync()
    documents = report["documents"]
    assert (report["code"], documents["deleted"], documents["added"], documents["withheld"]) == (1, 3, 1, 0)
    assert sum(name.endswith("7.md") for name in two.texts()) == 8


def test_a_source_that_is_taken_out_is_named_and_waits_where_it_is_large(two: Pipeline) -> None:
    two.config.write_text(two.config.read_text().replace(MORE, ""))
    remove(two.folder / "docs", "d00.md")
    report = two.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 41)
    assert any("source 'more' is not in the configuration any more: its 40" in note for note in report["notes"])
    report = two.sync("--confirm-deletes", report["plan_hash"])
    assert (report["code"], report["documents"]["deleted"]) == (0, 41)


def test_a_small_source_that_is_taken_out_goes_and_is_named(two: Pipeline) -> None:
    few = "  - {kind: files, path: ./few}\n"
    (two.folder / "few").mkdir()
    (two.folder / "few/a.md").write_text("# Few\n\nOnly this.\n")
    text = two.config.read_text()
    two.config.write_text(text.replace(MORE, MORE + few))
    assert two.sync()["documents"]["added"] == 1
    two.config.write_text(text)
    report = two.sync()
    assert (report["code"], report["documents"]["deleted"], report["documents"]["withheld"]) == (0, 1, 0)
    assert any("source 'few' is not in the configuration any more: its 1" in note for note in report["notes"])


def test_a_source_that_is_renamed_pays_nothing_and_asks_nothing(two: Pipeline) -> None:
    two.config.write_text(two.config.read_text().replace("path: ./more", "path: ./more, name: other"))
    report = two.sync()
    documents = report["documents"]
    assert (report["code"], documents["added"], documents["deleted"], documents["moved"]) == (0, 40, 40, 40)
    assert report["chunks"]["embedded"] == 0


def test_the_same_text_in_two_sources_is_paid_once(pipeline: Pipeline) -> None:
    text = "# Same\n\nIn both of them.\n"
    pipeline.config.write_text(pipeline.config.read_text().replace("embedder:", f"{MORE}embedder:"))
    (pipeline.folder / "more").mkdir()
    (pipeline.folder / "more/same.md").write_text(text)
    pipeline.write("same.md", text)
    report = pipeline.sync()
    assert report["chunks"]["reused"] == 1
    (pipeline.folder / "more/same.md").unlink()
    (pipeline.folder / "more/other.md").write_text("# Other\n\nText.\n")
    report = pipeline.sync()
    assert (report["code"], report["documents"]["deleted"], report["chunks"]["removed"]) == (0, 1, 1)


def test_a_run_after_withheld_deletions_still_names_what_moved(two: Pipeline) -> None:
    remove(two.folder / "more", "[01]*.md")
    for number in range(5):
        path = two.folder / f"docs/d3{number}.md"
        path.rename(two.folder / f"docs/moved{number}.md")
    remove(two.folder / "docs", "d[012]*.md")
    first, second = two.sync(), two.sync()
    assert (first["code"], second["code"]) == (25, 25)
    assert len(first["names"]["moved"]) == 5
    assert first["names"]["moved"] == second["names"]["moved"]
