"""A run that pays refuses another model that answers under the name of the one that made the collection."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.options import SyncOptions
from config.read import read_pipeline
from tasks.errors import CollectionError
from tasks.runners.threads import ThreadRunner
from tasks.session import open_session
from tasks.sync.report import Outcome
from tasks.sync.run import run_sync
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.conftest import CONFIG, Pipeline
from tests.faults.world import Silence
from tests.openai_server import OpenAIDialect, OpenAIServer
from tests.points import Point, columns

DIMENSION = 16
USD_PER_TOKEN = 0.02 / 1e6
Bend = Callable[[np.ndarray], np.ndarray]  # of the vectors of one answer


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def moved(cosine: float) -> Bend:
    """Each vector turned so far, to a side of its own."""

    def bend(rows: np.ndarray) -> np.ndarray:
        side = np.random.default_rng(5).normal(size=rows.shape)
        side = unit(side - np.einsum("ij,ij->i", side, rows)[:, None] * rows)
        return cosine * rows + np.sqrt(1 - cosine**2) * side

    return bend


HONEST: Bend = lambda rows: rows  # noqa: E731
OTHERS: Mapping[str, Bend] = {
    "other vectors": lambda rows: unit(np.random.default_rng(7).normal(size=rows.shape)),
    "one vector for all texts": lambda rows: np.repeat(rows[:1], len(rows), axis=0),
    "each vector to the next text": lambda rows: np.roll(rows, 1, axis=0),
    "numbers in another order": lambda rows: np.roll(rows, 1, axis=1),
    "the opposite": lambda rows: -rows,
    "not quite the same": moved(0.98),
}


@pytest.fixture
def paid(pipeline: Pipeline, openai_server: OpenAIServer) -> Pipeline:
    """Synced once, with an honest server."""
    settings = f"kind: openai, api_key: '${{OPENAI_KEY}}', base_url: '{openai_server.url}', dimensions: {DIMENSION}"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    assert pipeline.sync()["chunks"]["embedded"] == 4
    assert sorted(openai_server.answered) == sorted(set(openai_server.answered)), "a first run has nothing to compare"
    openai_server.forget()
    return pipeline


def check_refused(pipeline: Pipeline, server: OpenAIServer, before: Any) -> None:
    outcome = pipeline.run("sync", str(pipeline.config), "--json")
    assert (outcome.code, outcome.json["outcome"]) == (5, "failed")
    assert "another model answers under the name 'text-embedding-3-small'" in outcome.err
    assert server.url in outcome.err
    assert "embedder.base_url" in outcome.err
    assert "new.md" not in " ".join(text for request in server.requests for text in request)
    assert pipeline.texts() == before


@pytest.mark.parametrize("kind", OTHERS)
def test_another_model_is_refused_before_anything_is_written(
    paid: Pipeline, openai_server: OpenAIServer, kind: str
) -> None:
    before = paid.texts()
    openai_server.bend = OTHERS[kind]
    assert paid.sync()["code"] == 0, "a run that pays nothing asks nothing"
    assert openai_server.requests == []
    paid.write("new.md", "# New\n\nnew.md is what this page says.\n")
    check_refused(paid, openai_server, before)
    openai_server.bend = HONEST
    openai_server.forget()
    report = paid.sync()
    assert (report["code"], report["chunks"]["embedded"], report["chunks"]["written"]) == (0, 1, 1)
    assert report["cost_usd"] > report["tokens"]["embedded"] * USD_PER_TOKEN, "the comparison is counted"
    assert paid.run("verify", str(paid.config)).code == 0


def test_another_release_of_the_model_passes(paid: Pipeline, openai_server: OpenAIServer) -> None:
    openai_server.bend = moved(0.999)
    paid.write("new.md", "# New\n")
    assert paid.sync()["code"] == 0
    assert len(openai_server.requests) == 2


def test_where_the_collection_is_lost_the_cache_tells(paid: Pipeline, openai_server: OpenAIServer) -> None:
    before = paid.texts()
    shutil.rmtree(paid.folder / "db")
    paid.write("a.md", "# Alpha\n\nAnother text, new.md.\n\n## Install\n\nRun the thing.\n")
    openai_server.bend = OTHERS["other vectors"]
    outcome = paid.run("sync", str(paid.config), "--json")
    assert outcome.code == 5
    openai_server.bend = HONEST
    assert paid.sync()["code"] == 0
    assert paid.texts().keys() == before.keys()


def test_where_ledger_and_cache_are_lost_the_collection_tells(
    paid: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new page is alone in the first window."""
    monkeypatch.setattr("tasks.runners.pace.MOST_DOCUMENTS", 1)
    before = paid.texts()
    shutil.rmtree(paid.folder / "state")
    paid.write("0.md", "# New\n\nnew.md is what this page says.\n")
    openai_server.bend = OTHERS["other vectors"]
    check_refused(paid, openai_server, before)


def test_a_wanted_change_goes_through_with_a_new_collection_and_a_new_cache(
    paid: Pipeline, openai_server: OpenAIServer
) -> None:
    openai_server.bend = OTHERS["other vectors"]
    text = paid.config.read_text().replace("path: ./db", "path: ./db, collection: newer")
    paid.config.write_text(text.replace("cache.db", "newer.db"))
    report = paid.sync()
    assert (report["code"], report["chunks"]["embedded"], report["chunks"]["total"]) == (0, 4, 4)


def test_a_limit_of_money_holds_for_the_comparison(paid: Pipeline, openai_server: OpenAIServer) -> None:
    paid.write("new.md", "# New\n")
    report = paid.sync("--max-usd", str(3 * USD_PER_TOKEN))
    assert (report["code"], report["outcome"], openai_server.requests) == (4, "budget", [])
    assert paid.sync()["code"] == 0


def test_one_wrong_vector_of_ours_refuses_nobody(paid: Pipeline, openai_server: OpenAIServer) -> None:
    (paid.folder / "state/cache.db").unlink()
    store = QdrantStore(str(paid.folder / "db"), "trial")
    point, payload = min(store.scan(), key=lambda record: len(record[1]["text"]))
    store.ensure(DIMENSION)
    store.upsert(columns(Point(point, np.roll(store.vectors([point])[point], 1), payload)))
    store.close()
    paid.write("new.md", "# New\n")
    assert paid.sync()["code"] == 0


def test_runs_side_by_side_each_compare_for_themselves(paid: Pipeline, openai_server: OpenAIServer) -> None:
    pages = {name: f"# Page {name}\n\nWhat {name} says.\n" for name in ("one", "two")}
    configs = []
    for name, page in pages.items():
        text = paid.config.read_text().replace("name: trial", f"name: {name}").replace("trial.db", f"{name}.db")
        (paid.folder / name).mkdir()
        (paid.folder / name / "a.md").write_text((paid.folder / "docs/a.md").read_text())
        (paid.folder / name / "new.md").write_text(page)
        config = paid.folder / f"{name}.yaml"
        config.write_text(text.replace("./docs", f"./{name}").replace("./db", f"./db-{name}"))
        configs.append(config)
    openai_server.bend = OTHERS["other vectors"]
    assert side_by_side(configs) == [CollectionError, CollectionError], "the shared cache tells"
    openai_server.bend = HONEST
    assert side_by_side(configs) == [Outcome.DONE, Outcome.DONE]


def side_by_side(configs: Sequence[Path]) -> list[object]:
    """How runs in two threads end."""

    def run(config: Path) -> object:
        with open_session(read_pipeline(config)) as session:
            try:
                return run_sync(session, SyncOptions(), ThreadRunner(), Silence()).outcome
            except CollectionError as error:
                return type(error)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, configs))


def test_another_name_in_the_answer_is_told_once(paid: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (name, is_told) in enumerate(
        [("other-model", True), ("text-embedding-3-small-v2", False), ("small", False), (7, False), (None, False)]
    ):
        monkeypatch.setattr(OpenAIDialect, "names", {"text-embedding-3-small": name})
        paid.write(f"new{number}.md", f"# New {number}\n")
        report = paid.sync()
        assert (report["code"], sum("in the name of the model 'other-model'" in note for note in report["notes"])) == (
            0,
            int(is_told),
        )
