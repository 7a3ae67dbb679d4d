"""A collection in Pinecone, from the command line: nothing lost, nothing stale, nothing paid twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import CONFIG, Pipeline
from tests.pinecone_server import KEY, Fault, PineconeServer


@pytest.fixture
def server() -> Iterator[PineconeServer]:
    with PineconeServer() as made:
        made.delay = 0.05
        yield made


@pytest.fixture
def paid(pipeline: Pipeline, server: PineconeServer, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The three documents, with a store of Pinecone's whose key is in the environment."""
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    text = CONFIG.format(embedder="{kind: hashing, dimensions: 64}")
    store = f"{{kind: pinecone, index: trial, host: '{server.url}'}}"
    pipeline.config.write_text(text.replace("{kind: qdrant, path: ./db}", store))
    return pipeline


def texts(server: PineconeServer, namespace: str = "trial") -> list[str]:
    return sorted(metadata["text"] for _, metadata in server.records(namespace).values() if "text" in metadata)


def found(pipeline: Pipeline, query: str, *options: str) -> list[Any]:
    outcome = pipeline.run("search", str(pipeline.config), query, "--json", *options)
    assert outcome.code == 0, outcome.err
    return [hit["document"] for hit in outcome.json["hits"]]


def test_a_collection_follows_its_documents(paid: Pipeline, server: PineconeServer) -> None:
    report = paid.sync()
    assert (report["code"], report["documents"]["added"], report["chunks"]["written"]) == (0, 3, 4)
    assert len(texts(server)) == 4
    paid.write("b.md", "# Beta\n\nAnother second page.\n")
    report = paid.sync()
    assert (report["code"], report["documents"]["changed"], report["chunks"]["written"]) == (0, 1, 1)
    assert [text for text in texts(server) if "second page" in text.lower()] == ["# Beta\n\nAnother second page."]
    (paid.folder / "docs" / "a.md").unlink()
    report = paid.sync()
    assert (report["code"], report["documents"]["deleted"], len(texts(server))) == (0, 1, 2)
    assert paid.run("verify", str(paid.config)).code == 0


def test_a_deletion_beyond_the_limit_waits_for_a_confirmation(paid: Pipeline, server: PineconeServer) -> None:
    for number in range(30):
        paid.write(f"more/{number}.md", f"Page number {number}.\n")
    assert paid.sync()["code"] == 0
    for number in range(20):
        (paid.folder / "docs" / "more" / f"{number}.md").unlink()
    report = paid.sync()
    assert (report["documents"]["withheld"], len(texts(server))) == (20, 34)
    report = paid.sync("--confirm-deletes", report["plan_hash"])
    assert (report["code"], report["documents"]["deleted"], len(texts(server))) == (0, 20, 14)


def test_a_wiped_namespace_is_written_again_and_nothing_is_embedded(paid: Pipeline, server: PineconeServer) -> None:
    paid.sync()
    before = texts(server)
    del server.indexes["trial"].spaces["trial"]
    report = paid.sync()
    assert (report["code"], report["tokens"]["embedded"], report["chunks"]["written"]) == (0, 0, 4)
    assert "the collection is gone or new" in report["notes"][0]
    assert texts(server) == before
    assert paid.run("verify", str(paid.config)).code == 0


def test_a_run_without_changes_asks_for_no_record(paid: Pipeline, server: PineconeServer) -> None:
    paid.sync()
    server.paths()
    assert paid.sync()["code"] == 0
    assert [path for path in server.paths() if path != "/query"] == [
        "/indexes/trial",  # where it answers, and for which vectors
        "/vectors/fetch",  # the sentinel
        "/describe_index_stats",  # are as many there as the ledger says?
        "/vectors/upsert",  # the sentinel
    ]


def test_a_search_is_narrowed_by_filters(paid: Pipeline) -> None:
    paid.sync()
    assert found(paid, "page", "--filter", "document=b.md") == ["docs:b.md"]
    assert set(found(paid, "page", "--filter", "document!=b.md")) == {"docs:a.md", "docs:sub/c.txt"}
    assert set(found(paid, "page", "--filter", "position>=1")) == {"docs:a.md"}
    assert found(paid, "page", "--filter", "nothing=x") == []


def test_a_throttled_run_goes_on_when_it_may(
    paid: Pipeline, server: PineconeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.retry.RETRY_DELAYS_SECONDS", (0.0, 0.0, 0.0))
    server.faults += [Fault("/vectors/upsert", 429, {"Retry-After": "0.1"}, after=2), Fault("/vectors/upsert", 503)]
    report = paid.sync()
    assert (report["code"], report["outcome"], len(texts(server))) == (0, "done", 4)
    assert server.faults == []


def test_pipelines_share_an_index_and_touch_each_other_never(paid: Pipeline, server: PineconeServer) -> None:
    paid.sync()
    text = paid.config.read_text()
    other = paid.folder / "other.yaml"
    other.write_text(text.replace("name: trial", "name: other").replace("trial.db", "other.db"))
    paid.write("b.md", "# Beta\n\nOnly the other sees this.\n")
    assert paid.run("sync", str(other)).code == 0
    assert len(texts(server)) == len(texts(server, "other")) == 4
    assert not any("Only the other" in one for one in texts(server))
    (paid.folder / "docs" / "a.md").unlink()
    paid.sync()
    assert (len(texts(server)), len(texts(server, "other"))) == (2, 4)


def test_a_wrong_key_is_a_matter_of_settings_and_is_not_shown(paid: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", "pc-wrong-key")
    outcome = paid.run("sync", str(paid.config))
    assert outcome.code == 2
    assert "check `api_key` under `store`, or PINECONE_API_KEY" in outcome.err
    assert "pc-wrong-key" not in outcome.err + outcome.out


def test_words_are_looked_for_beside_vectors_and_a_lost_index_of_them_is_mended(paid: Pipeline) -> None:
    assert paid.sync()["code"] == 0
    assert paid.run("search", str(paid.config), "installs", "--json").json["mode"] == "hybrid"
    assert found(paid, "installs", "--mode", "text") == ["docs:a.md"]
    (paid.folder / "state" / "trial.db.words").unlink()
    lost = paid.run("verify", str(paid.config), "--json").json
    assert (lost["ok"], lost["unworded"]) == (False, 4)
    mended = paid.run("verify", str(paid.config), "--repair", "--json").json
    assert (mended["ok"], mended["left"]["unworded"], mended["sync"]["chunks"]["written"]) == (True, 0, 0)
    assert found(paid, "installs", "--mode", "text") == ["docs:a.md"]
