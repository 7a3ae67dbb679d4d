"""Two pipelines that are told the same collection or the same ledger never take each other for a lost one."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.conftest import Outcome, Pipeline
from tests.earlier import unpacked


@pytest.fixture
def other(pipeline: Pipeline) -> Pipeline:
    """The configuration once more in another folder, as `init` writes it there: own documents, ledger and cache."""
    folder = pipeline.folder / "elsewhere"
    folder.mkdir()
    config = folder / "trial.yaml"
    config.write_text(pipeline.config.read_text().replace("./db", str(pipeline.folder / "db")))
    two = Pipeline(folder, config, pipeline.run)
    two.write("a.md", "# Alpha\n\nAnother first page.\n")
    return two


def sync(pipeline: Pipeline, *options: str) -> Outcome:
    return pipeline.run("sync", str(pipeline.config), "--json", *options)


def test_a_second_pipeline_of_the_same_name_leaves_the_collection_alone(pipeline: Pipeline, other: Pipeline) -> None:
    pipeline.sync()
    before = pipeline.texts()
    for command in ("plan", "sync", "sync"):
        refused = other.run(command, str(other.config), "--json")
        assert refused.code == 5
        assert all(str(one.config) in refused.err for one in (pipeline, other))
        assert "--take-over" in refused.err
    assert pipeline.texts() == before
    again = pipeline.sync()
    assert (again["code"], again["documents"]["unchanged"], again["notes"]) == (0, 3, [])
    assert pipeline.run("verify", str(pipeline.config)).code == 0


def test_a_collection_that_is_taken_over_is_the_new_ones_until_it_is_taken_back(
    pipeline: Pipeline, other: Pipeline
) -> None:
    pipeline.sync()
    taken = sync(other, "--take-over")
    assert taken.code == 0
    assert str(pipeline.config) in taken.json["notes"][0]
    assert pipeline.texts() == {"a.md": ["# Alpha\n\nAnother first page."]}
    assert sync(other).json["notes"] == []
    for command in (("sync",), ("verify",), ("verify", "--repair")):
        refused = pipeline.run(command[0], str(pipeline.config), *command[1:])
        assert (refused.code, str(other.config) in refused.err) == (5, True)
    assert pipeline.texts() == {"a.md": ["# Alpha\n\nAnother first page."]}
    back = sync(pipeline, "--take-over")
    assert (back.code, back.json["tokens"]["embedded"], len(pipeline.texts())) == (0, 0, 3)
    assert pipeline.run("verify", str(pipeline.config)).code == 0


def test_a_lost_ledger_is_rebuilt_only_where_nobody_else_has_written_since(pipeline: Pipeline, other: Pipeline) -> None:
    pipeline.sync()
    shutil.rmtree(pipeline.folder / "state")
    rebuilt = pipeline.sync()
    assert (rebuilt["code"], rebuilt["tokens"]["embedded"], len(rebuilt["notes"])) == (0, 0, 1)
    assert sync(other, "--take-over").code == 0
    shutil.rmtree(pipeline.folder / "state")
    assert sync(pipeline).code == 5


def test_a_configuration_that_moves_with_its_ledger_goes_on_without_a_question(pipeline: Pipeline) -> None:
    pipeline.sync()
    moved = pipeline.folder / "moved"
    moved.mkdir()
    for name in ("docs", "db", "state", "trial.yaml"):
        shutil.move(pipeline.folder / name, moved / name)
    there = Pipeline(moved, moved / "trial.yaml", pipeline.run)
    report = there.sync()
    assert (report["code"], report["documents"]["unchanged"], report["notes"]) == (0, 3, [])
    shutil.rmtree(moved / "state")  # and the new place is known from now on
    assert there.sync()["code"] == 0


def copied(pipeline: Pipeline, other: Pipeline) -> None:
    shutil.copytree(pipeline.folder / "state", other.folder / "state")


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_a_copy_of_configuration_and_ledger_is_noticed_whichever_has_run_more(
    runs: int, pipeline: Pipeline, other: Pipeline
) -> None:
    """Their epochs may even be equal: the first is told after one run of the copy, the copy after it is taken back."""
    pipeline.sync()
    copied(pipeline, other)
    for _ in range(runs):
        assert sync(other).code == 0
    refused = sync(pipeline)
    assert (refused.code, "with a copy of this ledger" in refused.err) == (5, True)
    assert sync(pipeline, "--take-over").code == 0
    refused = sync(other)
    assert (refused.code, str(pipeline.config) in refused.err) == (5, True)


def test_a_ledger_of_another_pipeline_is_refused_before_anything_is_written(pipeline: Pipeline) -> None:
    pipeline.sync()
    ledger = pipeline.folder / "state/trial.db"
    two = pipeline.folder / "two.yaml"
    two.write_text(pipeline.config.read_text().replace("name: trial", "name: two").replace("./docs", "./docs2"))
    (pipeline.folder / "docs2").mkdir()
    (pipeline.folder / "docs2" / "z.md").write_text("# Omega\n")
    before = dump(ledger)
    for command in ("sync", "plan", "status", "verify", "search"):
        refused = pipeline.run(command, str(two), *(["page"] if command == "search" else []))
        assert refused.code == 5
        assert all(part in refused.err for part in ("'trial'", "'two'", "`state`", str(ledger)))
    assert dump(ledger) == before
    assert not (pipeline.folder / "db" / "two").exists()


def test_a_ledger_of_an_earlier_version_is_known_by_its_reports(pipeline: Pipeline) -> None:
    unpacked("hashing", pipeline.folder)
    two = pipeline.folder / "two.yaml"
    two.write_text(pipeline.config.read_text().replace("name: trial", "name: two"))
    assert pipeline.run("sync", str(two)).code == 5
    assert pipeline.sync()["code"] == 0


def test_a_pipeline_that_is_renamed_takes_its_ledger_over_and_pays_nothing(pipeline: Pipeline) -> None:
    pipeline.sync()
    text = pipeline.config.read_text().replace("name: trial", "name: manual")
    pipeline.config.write_text(text.replace("path: ./db", "path: ./db, collection: trial"))
    assert pipeline.run("sync", str(pipeline.config)).code == 5
    renamed = pipeline.sync("--take-over")
    assert (renamed["code"], renamed["tokens"]["embedded"]) == (0, 0)
    assert pipeline.sync()["notes"] == []
    assert pipeline.run("verify", str(pipeline.config)).code == 0
    assert len(pipeline.texts()) == 3


def test_a_collection_of_another_name_is_taken_over_with_its_records(pipeline: Pipeline) -> None:
    """By a pipeline with a ledger of its own, as after a renaming where `state` is not said."""
    pipeline.sync()
    text = pipeline.config.read_text().replace("name: trial", "name: manual").replace("trial.db", "manual.db")
    pipeline.config.write_text(text.replace("path: ./db", "path: ./db, collection: trial"))
    refused = pipeline.run("sync", str(pipeline.config))
    assert (refused.code, "'trial'" in refused.err, "'manual'" in refused.err) == (5, True, True)
    taken = pipeline.sync("--take-over")
    assert (taken["code"], taken["tokens"]["embedded"]) == (0, 0)
    assert pipeline.run("verify", str(pipeline.config)).code == 0
    assert len(pipeline.texts()) == 3


def dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        lines = list(connection.iterdump())
    connection.close()
    return lines
