"""What a user sees of a sync: nothing lost, nothing stale, nothing paid twice."""

import os
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.conftest import Pipeline

NOBODY = 65534


def age(pipeline: Pipeline) -> None:
    """Make every file older than the moment in which time stamps cannot be trusted."""
    for path in (pipeline.folder / "docs").rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 60, time.time() - 60))


def test_the_first_sync_writes_every_document(pipeline: Pipeline) -> None:
    report = pipeline.sync()
    assert (report["code"], report["outcome"]) == (0, "done")
    assert report["documents"] == {
        "listed": 3, "added": 3, "changed": 0, "unchanged": 0, "deleted": 0, "withheld": 0,
        "quarantined": 0, "empty": 0, "held": 0, "served_old": 0, "moved": 0, "partial": 0,
        "near_duplicates": 0,
    }  # fmt: skip
    assert report["chunks"] == {"total": 4, "embedded": 4, "reused": 0, "written": 4, "removed": 0, "unwritten": 0}
    assert pipeline.texts() == {
        "a.md": ["# Alpha\n\nFirst page.", "## Install\n\nRun the thing."],
        "b.md": ["# Beta\n\nSecond page."],
        "sub/c.txt": ["Plain text of the third page."],
    }


def test_a_second_sync_reads_and_embeds_nothing(pipeline: Pipeline) -> None:
    age(pipeline)
    pipeline.sync()
    report = pipeline.sync()
    assert report["documents"]["unchanged"] == 3
    assert (report["chunks"]["embedded"], report["chunks"]["written"], report["seconds"]["load"]) == (0, 0, 0.0)


def test_touching_a_file_embeds_and_writes_nothing(pipeline: Pipeline) -> None:
    pipeline.sync()
    age(pipeline)
    report = pipeline.sync()
    assert report["documents"]["unchanged"] == 3
    assert report["chunks"]["embedded"] == report["chunks"]["written"] == report["chunks"]["removed"] == 0


def test_a_renamed_file_keeps_its_vectors(pipeline: Pipeline) -> None:
    pipeline.sync()
    docs = pipeline.folder / "docs"
    (docs / "a.md").rename(docs / "sub" / "moved.md")
    report = pipeline.sync()
    assert (report["documents"]["added"], report["documents"]["deleted"]) == (1, 1)
    assert (report["chunks"]["embedded"], report["chunks"]["reused"], report["chunks"]["removed"]) == (0, 2, 2)
    assert set(pipeline.texts()) == {"sub/moved.md", "b.md", "sub/c.txt"}


def test_a_copy_is_stored_again_and_paid_once(pipeline: Pipeline) -> None:
    pipeline.sync()
    shutil.copy(pipeline.folder / "docs/b.md", pipeline.folder / "docs/copy.md")
    report = pipeline.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["reused"]) == (0, 1)
    assert pipeline.texts()["copy.md"] == pipeline.texts()["b.md"]


def test_an_edit_embeds_what_it_changed(pipeline: Pipeline) -> None:
    pipeline.sync()
    pipeline.write("a.md", "# Alpha\n\nFirst page.\n\n## Install\n\nRun the other thing.\n")
    report = pipeline.sync()
    assert report["documents"]["changed"] == 1
    assert (report["chunks"]["embedded"], report["chunks"]["written"], report["chunks"]["removed"]) == (1, 1, 1)
    assert pipeline.texts()["a.md"][1] == "## Install\n\nRun the other thing."


def test_a_paragraph_on_top_embeds_nothing_else(pipeline: Pipeline) -> None:
    body = "\n\n".join(f"Paragraph {number} tells of {number * 7} things. " + "word " * 30 for number in range(40))
    pipeline.write("long.txt", body)
    pipeline.sync()
    pipeline.write("long.txt", "A new beginning for the page.\n\n" + body)
    assert pipeline.sync()["chunks"]["embedded"] <= 3


def test_a_deleted_file_leaves_the_store(pipeline: Pipeline) -> None:
    pipeline.sync()
    (pipeline.folder / "docs/b.md").unlink()
    report = pipeline.sync()
    assert (report["code"], report["documents"]["deleted"], report["chunks"]["total"]) == (0, 1, 3)
    assert "b.md" not in pipeline.texts()


def test_an_emptied_file_leaves_the_store_as_a_deletion(pipeline: Pipeline) -> None:
    pipeline.sync()
    pipeline.write("b.md", "\n")
    report = pipeline.sync()
    assert (report["documents"]["empty"], report["chunks"]["removed"]) == (1, 1)
    assert "b.md" not in pipeline.texts()
    assert pipeline.sync()["documents"]["empty"] == 1


def test_many_deletions_are_withheld_until_they_are_confirmed(pipeline: Pipeline) -> None:
    for number in range(30):
        pipeline.write(f"many/{number}.txt", f"page number {number}")
    pipeline.sync()
    before = pipeline.texts()
    shutil.rmtree(pipeline.folder / "docs/many")
    report = pipeline.sync()
    assert (report["code"], report["outcome"], report["documents"]["withheld"]) == (25, "withheld", 30)
    assert pipeline.texts() == before
    assert pipeline.plan()["plan_hash"] == report["plan_hash"]
    assert "30 withheld; " in pipeline.run("status", str(pipeline.config)).out
    wrong = pipeline.sync("--confirm-deletes", "0123456789abcdef")
    assert (wrong["code"], pipeline.texts()) == (25, before)
    confirmed = pipeline.sync("--confirm-deletes", report["plan_hash"])
    assert (confirmed["code"], confirmed["documents"]["deleted"]) == (0, 30)
    assert len(pipeline.texts()) == 3


def test_a_plan_exits_as_its_sync_would(pipeline: Pipeline) -> None:
    path = str(pipeline.config)
    for number in range(30):
        pipeline.write(f"many/{number}.txt", f"page number {number}")
    fresh = pipeline.run("plan", path)
    assert fresh.code == 0
    assert "plan hash" not in fresh.out
    pipeline.sync()
    pipeline.write("bad.pdf", "no PDF")
    assert (pipeline.run("plan", path).code, pipeline.sync()["code"]) == (1, 1)
    shutil.rmtree(pipeline.folder / "docs/many")
    withheld = pipeline.run("plan", path)
    assert withheld.code == 25
    assert f"  plan hash    {pipeline.sync()['plan_hash']}\n" in withheld.out


def test_a_name_that_is_no_unicode_is_an_escape_everywhere(pipeline: Pipeline) -> None:
    for name, content in (("d\udcff/x.md", "# Deep\n"), ("i\udcff.txt", "flat\n"), ("bad\udcff.pdf", "no PDF")):
        pipeline.write(name, content)
    report = pipeline.sync()
    assert (report["code"], report["documents"]["added"], report["aside"]) == (1, 5, {"wrong-type": 1})
    assert {"d\\xff/x.md", "i\\xff.txt"} <= pipeline.texts().keys()
    assert "docs:bad\\xff.pdf" in pipeline.run("status", str(pipeline.config)).out
    found = pipeline.run("search", str(pipeline.config), "flat \udcff", "--filter", "document=i\udcff.txt", "--json")
    assert [hit["document"] for hit in found.json["hits"]] == ["docs:i\\xff.txt"]
    assert pipeline.plan()["documents"]["unchanged"] == 5


def test_a_run_that_fails_unforeseen_says_so_in_the_status(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("tasks.sync.run.survey_sources", fail)
    assert pipeline.run("sync", str(pipeline.config)).code == 70
    [run] = pipeline.run("status", str(pipeline.config), "--json").json["runs"]
    assert (run["outcome"], run["report"]["notes"]) == ("failed", ["by zero"])


def test_nothing_is_searched_for_an_empty_query(pipeline: Pipeline) -> None:
    pipeline.sync()
    outcome = pipeline.run("search", str(pipeline.config), " ")
    assert (outcome.code, outcome.out) == (2, "")
    assert "the query is empty" in outcome.err


def test_the_status_names_the_model_as_the_configuration_does(pipeline: Pipeline) -> None:
    assert pipeline.run("status", str(pipeline.config), "--json").json["model"] == "words"
    embedder = "{kind: sentence-transformers, model: all-MiniLM-L6-v2}"
    pipeline.config.write_text(pipeline.config.read_text().replace("{kind: hashing, dimensions: 64}", embedder))
    assert pipeline.run("status", str(pipeline.config), "--json").json["model"] == "all-MiniLM-L6-v2"


def renamed(pipeline: Pipeline, pages: int, without: int) -> Any:
    """The sync after a folder of so many pages, the first and the last alike, was renamed and lost the first few."""
    for number in range(pages):
        pipeline.write(f"many/{number}.txt", f"page number {number % (pages - 1)}")
    pipeline.sync()
    (pipeline.folder / "docs/many").rename(pipeline.folder / "docs/more")
    for number in range(without):
        (pipeline.folder / f"docs/more/{number}.txt").unlink()
    return pipeline.sync()


def test_a_folder_that_is_renamed_needs_no_confirmation(pipeline: Pipeline) -> None:
    report = renamed(pipeline, pages=30, without=5)
    assert (report["code"], report["documents"]["deleted"], report["chunks"]["embedded"]) == (0, 30, 0)
    assert len(pipeline.texts()) == 3 + 25


def test_moved_documents_are_withheld_with_many_that_are_gone(pipeline: Pipeline) -> None:
    report = renamed(pipeline, pages=40, without=11)
    assert (report["code"], report["documents"]["withheld"], report["chunks"]["embedded"]) == (25, 40, 0)
    told = "29 more have moved: the same content is listed under another name"
    assert told in report["notes"][0]
    assert told in pipeline.plan()["notes"][0]


def test_documents_move_from_source_to_source_but_an_old_copy_is_no_move(pipeline: Pipeline) -> None:
    two = "path: ./docs\n  - {kind: files, name: mirror, path: ./mirror}"
    pipeline.config.write_text(pipeline.config.read_text().replace("path: ./docs", two))
    for number in range(30):
        for folder in ("many", "../mirror"):
            pipeline.write(f"{folder}/{number}.txt", f"page number {number}")
    pipeline.sync()
    (pipeline.folder / "docs/many").rename(pipeline.folder / "mirror/more")
    report = pipeline.sync()
    assert (report["code"], report["documents"]["deleted"], report["chunks"]["embedded"]) == (0, 30, 0)
    (pipeline.folder / "mirror/more").rename(pipeline.folder / "docs/many")
    assert pipeline.sync()["code"] == 0
    shutil.rmtree(pipeline.folder / "docs/many")
    report = pipeline.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 30)
    assert "moved" not in report["notes"][0]


def test_an_empty_folder_deletes_nothing(pipeline: Pipeline) -> None:
    pipeline.sync()
    before = pipeline.texts()
    shutil.rmtree(pipeline.folder / "docs")
    (pipeline.folder / "docs").mkdir()
    report = pipeline.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 3)
    assert pipeline.texts() == before


def test_a_missing_root_deletes_nothing_and_names_the_path(pipeline: Pipeline) -> None:
    pipeline.sync()
    before = pipeline.texts()
    (pipeline.folder / "docs").rename(pipeline.folder / "gone")
    outcome = pipeline.run("sync", str(pipeline.config))
    assert outcome.code == 2
    assert str(pipeline.folder / "docs") in outcome.err
    assert pipeline.texts() == before
    (pipeline.folder / "gone").rename(pipeline.folder / "docs")
    assert pipeline.sync()["chunks"]["written"] == 0


def test_an_undecodable_file_is_set_aside_and_its_old_version_stays(pipeline: Pipeline) -> None:
    pipeline.sync()
    (pipeline.folder / "docs/b.md").write_bytes(b"\x00\x01\x02" * 100)
    report = pipeline.sync()
    assert (report["code"], report["outcome"], report["documents"]["quarantined"]) == (1, "partial", 1)
    assert pipeline.texts()["b.md"] == ["# Beta\n\nSecond page."]
    aside = pipeline.run("status", str(pipeline.config), "--json").json["quarantine"]
    assert [(one["document"], one["reason"]) for one in aside] == [("docs:b.md", "binary")]
    pipeline.write("b.md", "# Beta\n\nWell again.\n")
    assert pipeline.sync()["code"] == 0
    assert pipeline.run("status", str(pipeline.config), "--json").json["quarantine"] == []


def test_the_numbers_of_a_plan_are_those_of_the_sync(pipeline: Pipeline) -> None:
    pipeline.sync()
    (pipeline.folder / "docs/b.md").unlink()
    pipeline.write("a.md", "# Alpha\n\nFirst page.\n\n## Install\n\nRun it.\n\n## More\n\nRun it.\n")
    pipeline.write("d.md", "# Alpha\n\nFirst page.\n")
    pipeline.write("e.md", "")
    plan, report = pipeline.plan(), pipeline.sync()
    for group in ("documents", "chunks", "tokens"):
        assert plan[group] == report[group], group
    assert plan["chunks"]["embedded"] == 2
    assert plan["plan_hash"] == report["plan_hash"]


def test_a_plan_writes_nothing(pipeline: Pipeline) -> None:
    plan = pipeline.plan()
    assert plan["chunks"]["embedded"] == 4
    assert {path.name for path in pipeline.folder.iterdir()} == {"docs", "trial.yaml"}


def test_a_source_that_lists_nothing_is_named(pipeline: Pipeline) -> None:
    settings = pipeline.config.read_text()
    pipeline.config.write_text(settings.replace("path: ./docs", "path: ./docs\n    include: ['*.TXT']"))
    for report in (pipeline.plan(), pipeline.sync()):
        assert report["documents"]["listed"] == 0
        assert "source 'docs' lists no documents; check its path" in report["notes"][0]


def test_a_plan_says_that_store_and_ledger_do_not_match(pipeline: Pipeline) -> None:
    pipeline.sync()
    state, copy = pipeline.folder / "state/trial.db", pipeline.folder / "copy.db"
    shutil.copy(state, copy)
    pipeline.write("new.md", "# New\n")
    pipeline.sync()
    assert pipeline.plan()["notes"] == []
    shutil.copy(copy, state)
    [note] = pipeline.plan()["notes"]
    assert note.startswith("the ledger is an older copy: the next sync mends that first")
    state.unlink()
    [note] = pipeline.plan()["notes"]
    assert note.startswith("the ledger is not the one that wrote the collection")
    assert not state.exists()
    assert pipeline.sync()["chunks"]["embedded"] == 0
    assert pipeline.plan()["notes"] == []


def test_a_wiped_store_is_written_again_from_the_cache(pipeline: Pipeline) -> None:
    pipeline.sync()
    before = pipeline.texts()
    assert pipeline.plan()["notes"] == []
    shutil.rmtree(pipeline.folder / "db")
    assert "the next sync writes its 4 chunks again" in pipeline.plan()["notes"][0]
    report = pipeline.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["written"]) == (0, 4)
    assert "the collection is gone or new" in report["notes"][0]
    assert pipeline.texts() == before


def test_a_lost_ledger_is_rebuilt_from_the_store(pipeline: Pipeline) -> None:
    pipeline.sync()
    shutil.rmtree(pipeline.folder / "state")
    report = pipeline.sync()
    assert report["chunks"]["embedded"] == 0
    assert len(pipeline.texts()) == 3
    assert pipeline.sync()["chunks"]["written"] == 0


def test_another_model_is_refused_and_nothing_is_mixed(pipeline: Pipeline) -> None:
    pipeline.sync()
    before = pipeline.texts()
    pipeline.config.write_text(pipeline.config.read_text().replace("dimensions: 64", "dimensions: 128"))
    outcome = pipeline.run("sync", str(pipeline.config))
    assert outcome.code == 5
    assert "vector space" in outcome.err
    assert pipeline.run("search", str(pipeline.config), "page").code == 0  # as the collection was built
    assert pipeline.texts() == before


def test_another_chunk_size_pays_only_for_new_texts(pipeline: Pipeline) -> None:
    long = "\n\n".join(f"Sentence {number} of a page that has many." for number in range(60))
    pipeline.write("long.txt", long)
    pipeline.sync()
    pipeline.config.write_text(pipeline.config.read_text() + "chunking: {max_tokens: 64}\n")
    report = pipeline.sync()
    assert report["documents"]["changed"] + report["documents"]["unchanged"] == 4
    assert report["chunks"]["embedded"] == report["chunks"]["written"] == len(pipeline.texts()["long.txt"]) > 6


def test_a_second_run_at_once_says_who_is_at_work(pipeline: Pipeline) -> None:
    code = (
        "import sys, time; from tasks.ledger.ledger import Ledger; from tasks.ledger.lease import leased\n"
        "with leased(Ledger(sys.argv[1], 'trial'), wait=False): print('held', flush=True); time.sleep(60)"
    )
    pipeline.sync()
    url = f"sqlite:///{pipeline.folder}/state/trial.db"
    with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        outcome = pipeline.run("sync", str(pipeline.config), "--json")
        assert (outcome.code, outcome.json["outcome"]) == (3, "locked")
        assert f"process {other.pid}" in outcome.err
        assert f"process {other.pid}" in pipeline.run("status", str(pipeline.config), "--json").json["running"]
        other.kill()
    assert pipeline.sync()["code"] == 0


def test_a_search_finds_the_nearest_chunk(pipeline: Pipeline) -> None:
    pipeline.sync()
    found = pipeline.run("search", str(pipeline.config), "run the thing", "--json").json
    hits = found["hits"]
    assert found["query"] == "run the thing"
    assert hits[0]["document"] == "docs:a.md"
    assert hits[0]["metadata"]["heading"] == "Alpha > Install"
    only = pipeline.run("search", str(pipeline.config), "run the thing", "--filter", "document=b.md", "--json").json
    assert [hit["document"] for hit in only["hits"]] == ["docs:b.md"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["document=docs:b.md"], ["docs:b.md"]),
        (["document=docs:b.md", "source=docs"], ["docs:b.md"]),
        (["document=docs:b.md", "source=other"], []),
        (["document=other:b.md"], []),
        (["document=docs:"], []),
        (["document=docs:a.md,b.md", "position<1"], ["docs:a.md", "docs:b.md"]),
        (["document!=docs:a.md", "document!=b.md"], ["docs:sub/c.txt"]),
        (["document=a.md", "document=b.md"], []),
        (["nothing=1"], []),
    ],
)
def test_a_search_takes_a_document_as_its_results_name_it(
    pipeline: Pipeline, filters: list[str], found: list[str]
) -> None:
    pipeline.sync()
    options = [word for one in filters for word in ("--filter", one)]
    hits = pipeline.run("search", str(pipeline.config), "page", *options, "--json").json["hits"]
    assert sorted({hit["document"] for hit in hits}) == found


def test_a_filter_that_cannot_be_read_is_refused(pipeline: Pipeline) -> None:
    outcome = pipeline.run("search", str(pipeline.config), "thing", "--filter", "position>=first")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--filter 'position>=first': expected a number after >=" in outcome.err


def test_what_a_terminal_would_obey_is_shown_instead(pipeline: Pipeline) -> None:
    name = "a\x1b[2Jb\x9b\u202ec.md"
    pipeline.write(name, "# Alpha\n\nA page \x1b]0;title\x07 of its own.\n")
    pipeline.write("bad\x1b[31m.md", "").write_bytes(b"\0\1\2")
    pipeline.run("sync", str(pipeline.config))
    found = pipeline.run("search", str(pipeline.config), "page of its own", "--limit", "1", "--mode", "dense")
    assert r"a\x1b[2Jb\x9b\u202ec.md" in found.out
    assert "A page of its own." in found.out
    status = pipeline.run("status", str(pipeline.config))
    assert r"bad\x1b[31m.md" in status.out
    failed = pipeline.run("plan", "no\x1b[31m.yaml")
    assert r"no\x1b[31m.yaml" in failed.err
    assert "\x1b" not in found.out + status.out + failed.err
    hit = pipeline.run(
        "search", str(pipeline.config), "page of its own", "--limit", "1", "--mode", "dense", "--json"
    ).json["hits"][0]
    assert hit["document"] == f"docs:{name}"


def test_a_search_before_the_first_sync_says_what_to_do(pipeline: Pipeline) -> None:
    outcome = pipeline.run("search", str(pipeline.config), "anything")
    assert outcome.code == 2
    assert "headrace sync" in outcome.err


def test_a_paranoid_run_reads_what_looks_unchanged(pipeline: Pipeline) -> None:
    path = pipeline.folder / "docs/b.md"
    age(pipeline)
    pipeline.sync()
    stat = path.stat()
    path.write_text("# Beta\n\nSecond pagE.\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert pipeline.sync()["documents"]["changed"] == 0
    assert pipeline.sync("--paranoid")["documents"]["changed"] == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not read")
def test_an_unreadable_folder_deletes_nothing(pipeline: Pipeline) -> None:
    pipeline.sync()
    before = pipeline.texts()
    closed = pipeline.folder / "docs/sub"
    for path in (pipeline.folder, *pipeline.folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.chown(closed, 0, 0)
    closed.chmod(0o700)
    for parent in pipeline.folder.parents[:-2]:
        parent.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        report = pipeline.sync()
    finally:
        os.seteuid(0)
    assert (report["code"], report["outcome"]) == (1, "partial")
    assert str(closed) in " ".join(report["notes"])
    assert pipeline.texts() == before
