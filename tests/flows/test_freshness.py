"""How complete a collection is stands in its mark, and whoever asks for a fresh one gets no old answers."""

import json
import os
import sqlite3
from contextlib import closing

import pytest

from tasks.durations import format_duration, parse_duration
from tasks.errors import CollectionError, ConfigError
from tasks.freshness import freshness
from tasks.records import Sentinel
from tasks.upsert.marks import read_mark
from tests.conftest import Pipeline


def mark(pipeline: Pipeline) -> Sentinel:
    (path,) = (pipeline.folder / "db/trial").glob("*/sentinel.json")
    return read_mark(json.loads(path.read_text()))


def age_by(pipeline: Pipeline, seconds: float) -> None:
    """Let the last complete sync be longer ago, in the store and in the ledger."""
    (path,) = (pipeline.folder / "db/trial").glob("*/sentinel.json")
    fields = json.loads(path.read_text())
    fields["complete_at"] -= seconds
    path.write_text(json.dumps(fields))
    with closing(sqlite3.connect(pipeline.folder / "state/trial.db")) as ledger, ledger:
        ledger.execute("UPDATE meta SET value = ? WHERE key = 'mark'", (json.dumps(fields),))


def test_an_old_answer_is_refused(pipeline: Pipeline) -> None:
    search = ("search", str(pipeline.config), "First page", "--json")
    pipeline.sync()
    first = mark(pipeline).complete_at
    fresh = pipeline.run(*search, "--max-age", "1h")
    assert (fresh.code, fresh.json["complete_at"]) == (0, first)
    age_by(pipeline, 7201)
    refused = pipeline.run(*search, "--max-age", "2h")
    assert (refused.code, refused.json["exit_code"]) == (5, 5)
    assert "its last complete sync was 2 h ago, and at most 2 h were asked for" in refused.json["error"]
    assert pipeline.run(*search).code == 0
    assert "complete     2 h ago\n" in pipeline.run("status", str(pipeline.config)).out
    assert pipeline.sync()["code"] == 0  # nothing has changed, and yet it is fresh
    assert pipeline.run(*search, "--max-age", "1h").code == 0
    assert mark(pipeline).complete_at >= first


def test_the_mark_counts_what_the_collection_lacks(pipeline: Pipeline) -> None:
    pipeline.config.write_text(f"{pipeline.config.read_text()}deletions: {{max_count: 0, max_fraction: 0}}\n")
    pipeline.sync()
    complete_at = mark(pipeline).complete_at
    pipeline.write("bad.md", "\0" * 100)
    pipeline.sync()
    seen = mark(pipeline)
    assert (seen.quarantined, seen.withheld, seen.complete_at > complete_at) == (1, 0, True)
    (pipeline.folder / "docs/a.md").unlink()
    assert pipeline.sync()["code"] == 25
    withheld = mark(pipeline)
    assert (withheld.quarantined, withheld.withheld, withheld.complete_at) == (1, 1, seen.complete_at)
    shown = pipeline.run("status", str(pipeline.config), "--json").json["freshness"]
    assert (shown["withheld"], shown["quarantined"], shown["unknown"]) == (1, 1, 0)
    assert shown["complete_at"] == seen.complete_at


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_listed_is_unknown(pipeline: Pipeline) -> None:
    pipeline.sync()
    before = mark(pipeline)
    (pipeline.folder / "docs/sub").chmod(0)
    pipeline.sync()
    (pipeline.folder / "docs/sub").chmod(0o700)
    assert (mark(pipeline).unknown, mark(pipeline).complete_at) == (1, before.complete_at)


def test_a_canary_that_is_gone_leaves_everything_unknown(pipeline: Pipeline) -> None:
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace("path: ./docs\n", "path: ./docs\n    canary: a.md\n"))
    pipeline.sync()
    before = mark(pipeline)
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.rename(pipeline.folder / path.name)
    pipeline.write("other.md", "# Other\n")
    assert pipeline.sync()["code"] == 1
    assert (mark(pipeline).unknown, mark(pipeline).complete_at) == (3, before.complete_at)


def test_marks_of_old_say_nothing_of_it_and_are_refused(pipeline: Pipeline) -> None:
    pipeline.sync()
    old = read_mark({"lineage": "l", "epoch": 1, "space": "s"})
    assert freshness(old, 5.0).text == "no sync yet"
    assert old == Sentinel("l", 1, "s", complete_at=9.0, withheld=3)
    age_by(pipeline, mark(pipeline).complete_at)
    outcome = pipeline.run("search", str(pipeline.config), "First", "--max-age", "9999d")
    assert (outcome.code, "no sync yet" in outcome.err) == (5, True)


def test_readers_of_other_tools_may_ask_for_a_fresh_one(pipeline: Pipeline) -> None:
    langchain = pytest.importorskip("flows.langchain")
    pipeline.sync()
    embeddings = langchain.HeadraceEmbeddings(pipeline.config, max_age="1h")
    assert len(embeddings.embed_query("First")) == 64
    age_by(pipeline, 3601)
    with pytest.raises(CollectionError, match="too old"):
        embeddings.embed_query("First")
    assert len(langchain.HeadraceEmbeddings(pipeline.config).embed_query("First")) == 64


def test_where_says_where_the_mark_lies(pipeline: Pipeline) -> None:
    pipeline.sync()
    assert "sentinel.json" in pipeline.run("where", str(pipeline.config), "--json").json["mark"]


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "-1h", "0m", "1w", "1e9s", "\u0661h", "9" * 20 + "s"])
def test_what_is_no_length_of_time_is_refused(text: str, pipeline: Pipeline) -> None:
    with pytest.raises(ConfigError, match="expected a number and its unit"):
        parse_duration(text)
    outcome = pipeline.run("search", str(pipeline.config), "x", f"--max-age={text}")
    assert (outcome.code, "expected a number and its unit" in outcome.err) == (2, True)


def test_ages_are_told_in_words() -> None:
    assert [format_duration(seconds) for seconds in (0, 119, 120, 7199, 7200, 9000, 200_000, 900_000)] == [
        *("0 s", "119 s", "2 min", "120 min", "2 h", "2.5 h", "2.3 d", "10 d")
    ]
