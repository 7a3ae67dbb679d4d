"""A plan and a sync say which documents they count, and which files nobody asked for."""

import shutil
from typing import Any

from tests.conftest import Pipeline


def identity(documents: dict[str, int]) -> int:
    return sum(documents[name] for name in ("added", "changed", "unchanged", "empty", "quarantined", "held"))


def told(pipeline: Pipeline, command: str = "plan") -> str:
    return pipeline.run(command, str(pipeline.config)).out


def test_a_renamed_document_is_told_as_moved(pipeline: Pipeline) -> None:
    pipeline.sync()
    docs = pipeline.folder / "docs"
    (docs / "a.md").rename(docs / "sub/new.md")
    (docs / "b.md").unlink()
    pipeline.write("d.md", "# Delta\n")
    plan, text, report = pipeline.plan(), told(pipeline), pipeline.sync()
    move = {"from": "docs:a.md", "to": "docs:sub/new.md"}
    for shape in (plan, report):
        documents = shape["documents"]
        assert (documents["moved"], documents["added"], documents["deleted"]) == (1, 2, 2)
        assert identity(documents) == documents["listed"] == 3
        assert shape["names"]["moved"] == [move]
        assert shape["names"]["deleted"] == ["docs:b.md", "docs:a.md"]
    assert "would add 1, move 1 and delete 1; 1 unchanged (3 listed)" in text
    assert "  moved to another name:\n    docs:a.md -> docs:sub/new.md\n  would delete:\n    docs:b.md\n" in text
    status = told(pipeline, "status")
    assert "1 added, 1 moved, 1 deleted; " in status


def test_a_copy_is_no_move_and_one_name_is_given_once(pipeline: Pipeline) -> None:
    for name in ("x", "y"):
        pipeline.write(f"{name}.txt", "the same page")
    pipeline.sync()
    docs = pipeline.folder / "docs"
    shutil.copy(docs / "a.md", docs / "copy.md")
    assert pipeline.sync()["documents"]["moved"] == 0
    (docs / "x.txt").rename(docs / "z.txt")
    (docs / "y.txt").unlink()
    documents = pipeline.sync()["documents"]
    assert (documents["moved"], documents["deleted"], documents["added"]) == (1, 2, 1)


def test_an_empty_document_under_another_name_is_no_move(pipeline: Pipeline) -> None:
    pipeline.write("empty.md", "")
    pipeline.sync()
    (pipeline.folder / "docs/empty.md").rename(pipeline.folder / "docs/void.md")
    documents = pipeline.sync()["documents"]
    assert (documents["moved"], documents["added"], documents["empty"], documents["deleted"]) == (0, 0, 1, 1)


def test_a_document_moves_from_source_to_source(pipeline: Pipeline) -> None:
    more = pipeline.folder / "more"
    more.mkdir()
    (more / "m.md").write_text("# More\n")
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace("embedder:", "  - {kind: files, path: ./more}\nembedder:"))
    pipeline.sync()
    (more / "m.md").rename(pipeline.folder / "docs/m.md")
    report = pipeline.sync()
    assert report["names"]["moved"] == [{"from": "more:m.md", "to": "docs:m.md"}]
    assert report["documents"]["moved"] == 1


def test_a_plan_names_the_first_of_what_is_empty_set_aside_and_withheld(pipeline: Pipeline) -> None:
    for number in range(40):
        pipeline.write(f"many/{number:02}.txt", f"page number {number}")
    pipeline.sync()
    shutil.rmtree(pipeline.folder / "docs/many")
    for number in range(13):
        pipeline.write(f"empty{number:02}.md", " \n")
    pipeline.write("bad\x1b.pdf", "no PDF")
    plan, text, report = pipeline.plan(), told(pipeline), pipeline.sync()
    gone = [f"docs:many/{number:02}.txt" for number in range(40)]
    assert plan["names"]["withheld"] == gone
    assert plan["names"]["empty"] == [f"docs:empty{number:02}.md" for number in range(13)]
    [aside] = plan["names"]["quarantined"]
    assert (aside["document"], aside["reason"]) == ("docs:bad\x1b.pdf", "wrong-type")
    assert "rename or exclude it" in aside["message"]
    assert "  would withhold:\n    docs:many/00.txt\n" in text
    assert "    docs:many/09.txt\n    and 30 more\n" in text
    assert "    docs:empty09.md: holds no text\n    and 3 more\n" in text
    assert r"    docs:bad\x1b.pdf (wrong-type): " in text
    assert report["names"] == {**plan["names"], "withheld": gone[:20]}  # a run is kept in the ledger, so it is bounded
    again = pipeline.plan()
    assert (again["names"]["empty"], again["names"]["quarantined"]) == (plan["names"]["empty"], [aside])


def test_a_document_that_holds_no_text_is_named_by_plan_sync_and_status_as_long_as_it_is_so(pipeline: Pipeline) -> None:
    pipeline.write("void.md", "\n")
    remark = {"document": "docs:void.md", "remark": "holds no text"}
    first, plan = pipeline.sync(), pipeline.plan()
    status = pipeline.run("status", str(pipeline.config), "--json").json
    assert first["names"]["partial"] == plan["names"]["partial"] == status["partial"] == [remark]
    assert (first["documents"]["partial"], plan["documents"]["partial"], first["code"]) == (1, 1, 0)
    for command in ("plan", "sync", "status"):
        assert "  read in part:\n    docs:void.md: holds no text\n" in f"{told(pipeline, command)}\n"
    pipeline.write("void.md", "Words.\n")
    assert pipeline.sync()["names"]["partial"] == []
    assert pipeline.run("status", str(pipeline.config), "--json").json["partial"] == []


def test_what_no_pattern_names_is_told_and_fails_nothing(pipeline: Pipeline) -> None:
    for suffix, count in {".doc": 4, ".ZIP": 3, ".bin": 2, ".a1": 1, ".a2": 1, ".a3": 1, "": 1}.items():
        for number in range(count):
            pipeline.write(f"x{suffix[1:]}/{number}{suffix}", "x")
    plan, text, report = pipeline.plan(), told(pipeline), pipeline.sync()
    expected = {".doc": 4, ".zip": 3, ".bin": 2, ".a1": 1, ".a2": 1, ".a3": 1, "": 1}
    assert plan["passed_over"] == report["passed_over"] == expected
    assert (report["code"], report["notes"]) == (0, [])
    [line] = [line for line in text.splitlines() if line.startswith("  passed over  ")]
    assert line.startswith("  passed over  4 .doc, 3 .zip, 2 .bin, ")
    assert ", 2 others: no pattern of `include` names them" in line
    assert line in told(pipeline, "sync").splitlines()


def test_a_plan_speaks_of_the_future(pipeline: Pipeline) -> None:
    text = told(pipeline)
    assert text.startswith("trial: what a sync would do\n")
    assert "  documents    would add 3 (3 listed)\n" in text
    assert "  chunks       would embed 4 and write 4; 4 in the collection then\n" in text
    assert "  tokens       would embed " in text
    pipeline.sync()
    after = told(pipeline)
    assert "  documents    would change nothing; 3 unchanged (3 listed)\n" in after
    assert "  chunks       would change nothing; 4 in the collection\n" in after


def test_numbers_and_the_model_are_told_as_a_person_reads_them(pipeline: Pipeline) -> None:
    pipeline.write("long.txt", "\n\n".join(f"Paragraph {number} of many." for number in range(1500)))
    shape: Any = pipeline.plan()
    assert shape["tokens"]["embedded"] > 1000
    synced = told(pipeline, "sync")
    assert f"  tokens       {shape['tokens']['embedded']:,} embedded\n" in synced
    assert "  model        words\n" in synced
    assert "  model        words, 64 dimensions\n" in told(pipeline, "status")


def test_the_status_says_why_a_run_failed_and_a_document_is_quarantined(pipeline: Pipeline) -> None:
    pipeline.write("bad.pdf", "no PDF")
    pipeline.sync()
    shutil.rmtree(pipeline.folder / "docs")
    assert pipeline.sync()["code"] == 2
    status = told(pipeline, "status")
    assert "  failed       no change; 0 chunks embedded in " in status
    assert f"{pipeline.folder / 'docs'} does not exist; check `path` of source 'docs'" in status
    assert "  quarantined  docs:bad.pdf (wrong-type): bad.pdf is something else" in status
    assert "(tried once, again when it changes)" in status
