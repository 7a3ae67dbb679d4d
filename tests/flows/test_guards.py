"""Losses that are withheld: everything that looks like a source gone wrong keeps 100 % of the vectors."""

import pytest

from tests.conftest import Pipeline

LOGIN = "# Please log in\n\nYour session has expired.\n"


@pytest.fixture
def many(pipeline: Pipeline) -> Pipeline:
    """Forty documents of their own."""
    for number in range(37):
        pipeline.write(f"n{number:02}.md", f"# Page {number}\n\nThis is what page {number} says.\n")
    assert pipeline.sync()["code"] == 0
    return pipeline


def test_a_login_page_served_for_every_document_is_not_believed(many: Pipeline) -> None:
    before = many.texts()
    for number in range(37):
        many.write(f"n{number:02}.md", LOGIN)
    plan, report = many.plan(), many.sync()
    assert (report["code"], report["outcome"]) == (25, "withheld")
    documents = report["documents"]
    assert (documents["withheld"], documents["held"], documents["served_old"]) == (37, 37, 37)
    assert "same content" in report["notes"][0]
    assert (report["chunks"]["embedded"], report["chunks"]["reused"], report["tokens"]["reused"]) == (1, 0, 0)
    assert many.texts() == before
    assert plan["plan_hash"] == report["plan_hash"]
    assert many.sync("--confirm-deletes", report["plan_hash"])["code"] == 0
    assert many.texts()["n05.md"] == [LOGIN.strip()]


def test_a_login_page_that_goes_away_again_costs_nothing(many: Pipeline) -> None:
    before = many.texts()
    for number in range(37):
        many.write(f"n{number:02}.md", LOGIN)
    many.sync()
    for number in range(37):
        many.write(f"n{number:02}.md", f"# Page {number}\n\nThis is what page {number} says.\n")
    report = many.sync()
    assert (report["code"], report["chunks"]["embedded"], report["chunks"]["written"]) == (0, 0, 0)
    assert many.texts() == before


def test_one_source_of_two_that_suddenly_lists_nothing_is_not_believed(pipeline: Pipeline) -> None:
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace("embedder:", "  - {kind: files, path: ./more}\nembedder:"))
    more = pipeline.folder / "more"
    more.mkdir()
    for number in range(3):
        (more / f"{number}.md").write_text(f"# More {number}\n")
    assert pipeline.sync()["documents"]["added"] == 6
    more.rename(pipeline.folder / "elsewhere")
    more.mkdir()
    plan, report = pipeline.plan(), pipeline.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 3)
    assert any("source 'more' lists nothing at all" in note for note in report["notes"])
    assert report["plan_hash"] == plan["plan_hash"]
    assert len(pipeline.texts()) == 6
    assert pipeline.sync("--confirm-deletes", plan["plan_hash"])["documents"]["deleted"] == 3
    assert pipeline.sync()["code"] == 0


def test_a_source_whose_documents_have_all_moved_to_another_needs_no_confirmation(pipeline: Pipeline) -> None:
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace("embedder:", "  - {kind: files, path: ./more}\nembedder:"))
    more = pipeline.folder / "more"
    more.mkdir()
    (more / "m.md").write_text("# More\n\nOf it.\n")
    assert pipeline.sync()["code"] == 0
    (more / "m.md").rename(pipeline.folder / "docs/m.md")
    report = pipeline.sync()
    assert (report["code"], report["documents"]["deleted"], report["documents"]["added"]) == (0, 1, 1)


def test_documents_that_were_equal_may_change_together(many: Pipeline) -> None:
    for number in range(30):
        many.write(f"e{number:02}.py", "LICENSE = 2025\n")
    assert many.sync()["code"] == 0
    for number in range(30):
        many.write(f"e{number:02}.py", "LICENSE = 2026\n")
    report = many.sync()
    assert (report["code"], report["documents"]["changed"]) == (0, 30)


def test_documents_that_become_empty_count_as_deleted(many: Pipeline) -> None:
    before = many.texts()
    for number in range(20):
        many.write(f"n{number:02}.md", "")
    report = many.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 20)
    assert "20 became empty" in report["notes"][0]
    assert many.texts() == before


def test_a_slow_bleed_is_noticed_within_a_week(pipeline: Pipeline) -> None:
    for number in range(100):
        pipeline.write(f"n{number:02}.md", f"# Page {number}\n")
    pipeline.sync()
    codes: list[int] = []
    for day in range(3):
        for number in range(10):
            (pipeline.folder / f"docs/n{day}{number}.md").unlink()
        codes.append(pipeline.sync()["code"])
    assert codes == [0, 0, 25]
    report = pipeline.sync()
    assert "seven days" in report["notes"][0]
    assert pipeline.sync("--confirm-deletes", report["plan_hash"])["code"] == 0


def test_what_was_confirmed_does_not_count_against_the_days_after(many: Pipeline) -> None:
    for number in range(20):
        (many.folder / f"docs/n{number:02}.md").unlink()
    report = many.sync()
    assert many.sync("--confirm-deletes", report["plan_hash"])["documents"]["deleted"] == 20
    (many.folder / "docs/n30.md").unlink()
    assert many.sync()["code"] == 0


def test_without_its_canary_a_listing_is_not_believed(many: Pipeline) -> None:
    text = many.config.read_text()
    many.config.write_text(text.replace("path: ./docs\n", "path: ./docs\n    canary: a.md\n"))
    before = many.texts()
    (many.folder / "docs/a.md").rename(many.folder / "a.md")
    (many.folder / "docs/b.md").unlink()
    many.write("new.md", "New.\n")
    report = many.sync()
    assert (report["code"], report["documents"]["deleted"], report["documents"]["added"]) == (1, 0, 1)
    assert "canary 'a.md'" in report["notes"][0]
    assert many.texts() == {**before, "new.md": ["New."]}
    (many.folder / "a.md").rename(many.folder / "docs/a.md")
    assert many.sync()["documents"]["deleted"] == 1


def test_a_canary_that_cannot_be_read_is_missed_too(many: Pipeline) -> None:
    text = many.config.read_text()
    many.config.write_text(text.replace("path: ./docs\n", "path: ./docs\n    canary: a.md\n"))
    (many.folder / "docs/b.md").unlink()
    (many.folder / "docs/a.md").write_bytes(b"\x00\x01\x02\x03" * 100)
    report = many.sync()
    assert report["documents"]["deleted"] == 0
    assert any("canary" in note for note in report["notes"])
