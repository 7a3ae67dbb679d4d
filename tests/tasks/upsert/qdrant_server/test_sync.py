"""A pipeline whose store is a server, as a user runs it."""

from typing import Any

import pytest

from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.conftest import Pipeline
from tests.qdrant_server import Fault, QdrantServer

KEY = "a-secret-key"


@pytest.fixture
def on_server(pipeline: Pipeline, server: QdrantServer, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    server.key = KEY
    monkeypatch.setenv("QDRANT_KEY", KEY)
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace("path: ./db", f'url: "{server.url}", api_key: "${{QDRANT_KEY}}"'))
    return pipeline


def texts(server: QdrantServer) -> dict[str, list[str]]:
    store = QdrantServerStore(server.url, "trial", KEY)
    found: dict[str, list[str]] = {}
    records = sorted((payload["metadata"] | {"text": payload["text"]} for _, payload in store.scan()), key=_order)
    for record in records:
        found.setdefault(record["document"], []).append(record["text"])
    store.close()
    return found


def _order(record: Any) -> Any:
    return record["document"], record["position"]


FIRST = {
    "a.md": ["# Alpha\n\nFirst page.", "## Install\n\nRun the thing."],
    "b.md": ["# Beta\n\nSecond page."],
    "sub/c.txt": ["Plain text of the third page."],
}


def test_a_collection_follows_its_documents(on_server: Pipeline, server: QdrantServer) -> None:
    assert on_server.sync()["code"] == 0
    assert texts(server) == FIRST
    on_server.write("a.md", "# Alpha\n\nFirst page.\n\n## Install\n\nRun the other thing.\n")
    report = on_server.sync()
    assert (report["code"], report["chunks"]["written"], report["chunks"]["removed"]) == (0, 1, 1)
    assert texts(server)["a.md"] == ["# Alpha\n\nFirst page.", "## Install\n\nRun the other thing."]
    (on_server.folder / "docs/b.md").unlink()
    assert on_server.sync()["code"] == 0
    assert set(texts(server)) == {"a.md", "sub/c.txt"}


def test_a_run_without_work_asks_for_the_sentinel_and_replaces_it(on_server: Pipeline, server: QdrantServer) -> None:
    on_server.sync()
    server.asked()
    assert on_server.sync()["code"] == 0
    assert server.asked() == [
        "POST /collections/trial/points",  # the sentinel
        "POST /collections/trial/points/count",  # are as many there as the ledger says?
        "GET /collections/trial",
        "POST /collections/trial/points/payload",  # the sentinel
    ]


def test_deletions_above_the_limits_wait_for_a_word(on_server: Pipeline, server: QdrantServer) -> None:
    for number in range(30):
        on_server.write(f"n{number:02}.md", f"# Page {number}\n\nThis is what page {number} says.\n")
    on_server.sync()
    for number in range(30):
        (on_server.folder / f"docs/n{number:02}.md").unlink()
    report = on_server.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 30)
    assert len(texts(server)) == 33
    assert on_server.sync("--confirm-deletes", report["plan_hash"])["code"] == 0
    assert texts(server) == FIRST


def test_a_collection_that_was_dropped_is_written_again_from_the_cache(
    on_server: Pipeline, server: QdrantServer
) -> None:
    on_server.sync()
    server.wipe("trial")
    report = on_server.sync()
    assert (report["code"], report["chunks"]["embedded"], report["chunks"]["written"]) == (0, 0, 4)
    assert texts(server) == FIRST


def test_a_search_takes_filters(on_server: Pipeline) -> None:
    on_server.sync()
    search = ("search", str(on_server.config), "page", "--json")
    hits = on_server.run(*search).json["hits"]
    assert {hit["document"] for hit in hits} == {"docs:a.md", "docs:b.md", "docs:sub/c.txt"}
    hits = on_server.run(*search, "--filter", "document=b.md").json["hits"]
    assert {hit["document"] for hit in hits} == {"docs:b.md"}
    hits = on_server.run(*search, "--filter", "document!=b.md", "--filter", "position>=1").json["hits"]
    assert [hit["metadata"]["position"] for hit in hits] == [1]


def test_a_server_that_goes_away_in_the_middle_costs_nothing(on_server: Pipeline, server: QdrantServer) -> None:
    server.faults = [Fault("PUT /collections/trial/points", 507, "No space left on device", passing=1)]
    outcome = on_server.run("sync", str(on_server.config), "--json")
    assert outcome.code != 0
    assert "disk is full" in outcome.err + outcome.out
    assert KEY not in outcome.err + outcome.out
    server.faults = []
    report = on_server.sync()
    assert (report["code"], report["chunks"]["embedded"]) == (0, 0)
    assert texts(server) == FIRST


def test_a_passing_fault_is_tried_again_within_the_run(
    on_server: Pipeline, server: QdrantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.retry.RETRY_DELAYS_SECONDS", (0.01, 0.01))
    fault = Fault("PUT /collections/trial/points", 429, "slow down", {"Retry-After": "0"}, passing=1, times=1)
    server.faults = [fault]
    assert on_server.sync()["code"] == 0
    assert fault.times == 0
    assert texts(server) == FIRST


def test_two_pipelines_on_one_server_keep_apart(on_server: Pipeline, server: QdrantServer) -> None:
    on_server.sync()
    text = on_server.config.read_text()
    other = on_server.folder / "other.yaml"
    other.write_text(
        text.replace("name: trial", "name: other").replace("./docs", "./others").replace("trial.db", "o.db")
    )
    (on_server.folder / "others").mkdir()
    (on_server.folder / "others" / "z.md").write_text("# Omega\n")
    assert on_server.run("sync", str(other), "--json").code == 0
    assert texts(server) == FIRST
    assert set(server.collections) == {"trial", "other"}
