"""Runs whose model is on the nodes of a Ray cluster."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.runner import RayRunner
from tasks.embed.open import open_embedder
from tasks.errors import ConfigError
from tasks.system import ray_connection
from tasks.system.ray_cluster import RayCluster
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.conftest import Pipeline
from tests.ray_cluster import LIGHT, RayNodes
from tests.tasks.embed.local.test_runtime import tiny_model

BY_HAND = pytest.mark.skipif(not os.environ.get("RAY"), reason="minutes: by `make ray`")
pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore")]  # Ray's own

CONFIG = """\
name: trial
sources: [{{path: ../docs}}]
chunking: {{max_tokens: 32}}
embedder: {{kind: sentence-transformers, model: {model}, precision: float32}}
store: {{kind: qdrant, path: ./db}}
state: sqlite:///ledger.db
cache: sqlite:///cache.db
{runner}
"""


@pytest.fixture(scope="module")
def nodes(user_cache: Path) -> Iterator[RayNodes]:
    with RayNodes(1, user_cache) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"), "Bert", "mean")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A few hundred chunks of very different length."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for page in range(60):
        text = "".join(f"Sentence {number} of page {page} is here. " for number in range(page * 7 % 30 + 1))
        (folder / f"{page}.md").write_text(f"# Page {page}\n\n{text}\n")
    return folder


def configured(folder: Path, model: Path, runner: str = "") -> Path:
    folder.mkdir()
    path = folder / "trial.yaml"
    path.write_text(CONFIG.format(model=model, runner=runner))
    return path


def headrace(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, for what Ray writes goes past Python."""
    command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
    return subprocess.run(command, env=os.environ | LIGHT, capture_output=True, text=True, check=False)


def records(folder: Path) -> dict[str, tuple[bytes, Any]]:
    store = QdrantStore(str(folder / "db"), "trial")
    try:
        payloads = dict(store.scan())
        vectors = store.vectors(list(payloads))
        return {point: (vectors[point].tobytes(), payloads[point]) for point in payloads}
    finally:
        store.close()


def test_a_cluster_makes_the_same_collection_to_the_byte(
    nodes: RayNodes, model: Path, documents: Path, tmp_path: Path
) -> None:
    here = configured(tmp_path / "here", model)
    runner = f"runner: {{kind: ray, address: '{nodes.address}', embed: {{num_cpus: 0.25}}, parse: {{num_cpus: 0.5}}}}"
    there = configured(tmp_path / "there", model, runner)
    outcomes = [headrace("sync", config, "--json", "--direct") for config in (here, there)]
    reports = [json.loads(outcome.stdout) for outcome in outcomes]
    assert [outcome.returncode for outcome in outcomes] == [0, 0], outcomes
    assert "in 2 actors" in reports[1]["runtime"]
    assert [report["chunks"] for report in reports] == [reports[0]["chunks"]] * 2
    expected = records(here.parent)
    assert len(expected) == reports[0]["chunks"]["embedded"] > 100
    assert records(there.parent) == expected


@BY_HAND
def test_a_node_that_dies_costs_no_chunk(nodes: RayNodes, model: Path, documents: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "there", model, f"runner: {{kind: ray, address: '{nodes.address}'}}")
    command = [sys.executable, "-m", "flows.cli", "sync", str(config), "--json", "--direct"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | LIGHT, text=True)
    nodes.add_node()
    nodes.kill_node()
    out, err = run.communicate()
    assert run.returncode == 0, err
    assert json.loads(out)["documents"]["added"] == 60  # nothing but the answer is on stdout
    assert headrace("verify", config, "--json").returncode == 0


@BY_HAND
def test_a_cluster_without_nodes_ends_the_run_and_the_next_goes_on(
    nodes: RayNodes, model: Path, documents: Path, tmp_path: Path
) -> None:
    runner = f"runner: {{kind: ray, address: '{nodes.address}', patience_seconds: 1}}"
    config = configured(tmp_path / "there", model, runner)
    nodes.kill_node()
    try:
        outcome = headrace("sync", config, "--json", "--direct")
        assert outcome.returncode == 70
        assert "no node" in outcome.stderr
    finally:
        nodes.add_node()
    assert headrace("sync", config, "--direct").returncode == 0


def test_an_actor_that_fits_nowhere_is_refused(nodes: RayNodes, model: Path, documents: Path, tmp_path: Path) -> None:
    runner = f"runner: {{kind: ray, address: '{nodes.address}', embed: {{num_gpus: 1}}}}"
    outcome = headrace("sync", configured(tmp_path / "there", model, runner), "--direct")
    assert outcome.returncode == 2
    assert "has room for an actor of 1 CPUs, 1 GPUs; its nodes have 1 CPUs" in outcome.stderr


def test_nothing_at_the_address_names_the_remedy(pipeline: Pipeline, model: Path) -> None:
    pipeline.config.write_text(
        CONFIG.format(model=model, runner="runner: {kind: ray, address: '127.0.0.1:1'}").replace("../docs", "docs")
    )
    outcome = headrace("sync", pipeline.config, "--direct")
    assert outcome.returncode == 2
    assert "no Ray cluster can be reached at '127.0.0.1:1'" in outcome.stderr
    assert pipeline.run("plan", str(pipeline.config)).code == 0  # reading never asks the cluster


@pytest.mark.parametrize("head", ["10.0.0.5:6379", "ray-head.internal:6379", "[fd00::5]:6379"])
def test_a_head_that_is_open_to_its_network_is_refused(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ray_connection.TOKEN_MODE, raising=False)
    with pytest.raises(ConfigError, match="RAY_AUTH_MODE=token"):
        ray_connection.require_guarded(head)
    monkeypatch.setenv(ray_connection.TOKEN_MODE, "token")
    ray_connection.require_guarded(head)


def test_a_head_on_this_machine_needs_no_token() -> None:
    for head in ("127.0.0.1:6379", "localhost:6379", "[::1]:6379"):
        ray_connection.require_guarded(head)


def test_without_its_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    from config.embedders import SentenceTransformersEmbedder

    cluster = RayCluster(RayRunner(kind="ray"))
    config = SentenceTransformersEmbedder.model_validate({"kind": "sentence-transformers", "model": str(model)})
    embedder = open_embedder(config, start=cluster.embed)
    with pytest.raises(ConfigError, match=r"\.\[ray\]"):
        next(embedder.embed(["a text"], [4]))
    assert np.isfinite(open_embedder(config).embed_query("a text")).all()


@BY_HAND
def test_histories_of_faults_end_well_while_nodes_are_killed() -> None:
    """In a process of its own, as Ray wants it; fifteen histories a round."""
    count = 15 * int(os.environ["RAY"])
    command = [sys.executable, "-m", "tests.ray_histories", str(count)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    played = json.loads(outcome.stdout.splitlines()[-1])
    print(played)
    assert (played["histories"] >= count, played["killed"] > count // 15) == (True, True)


@BY_HAND
def test_nodes_and_coordinators_that_die_again_and_again_leave_nothing_wrong(
    nodes: RayNodes, model: Path, documents: Path, tmp_path: Path
) -> None:
    """Each round a node goes in mid-run, every second one the run too; the collection is as without a cluster."""
    config = configured(tmp_path / "there", model, f"runner: {{kind: ray, address: '{nodes.address}'}}")
    here = configured(tmp_path / "here", model)
    for number in range(int(os.environ["RAY"])):
        for page in range(number % 7, 60, 7):
            (documents / f"{page}.md").write_text(f"# Page {page}\n\n" + f"Round {number} of page {page}. " * 40)
        command = [sys.executable, "-m", "flows.cli", "sync", str(config), "--json", "--direct"]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | LIGHT)
        nodes.add_node()
        if number % 2:
            run.kill()
        nodes.kill_node()
        out, err = run.communicate()
        if not number % 2:
            assert (run.returncode, json.loads(out)["outcome"]) == (0, "done"), err
    assert headrace("sync", config, "--direct").returncode == 0
    assert headrace("verify", config).returncode == 0
    assert headrace("sync", here, "--direct").returncode == 0

    def contents(folder: Path) -> tuple[list[str], "np.typing.NDArray[np.float32]"]:
        found = sorted((str(payload["metadata"]), vector) for vector, payload in records(folder).values())
        return [place for place, _ in found], np.stack([np.frombuffer(vector, np.float32) for _, vector in found])

    (places, vectors), (expected, others) = contents(config.parent), contents(here.parent)
    assert places == expected
    np.testing.assert_allclose(vectors, others, atol=1e-6)  # other texts were in their batches
