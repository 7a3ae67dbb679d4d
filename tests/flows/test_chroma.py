"""A pipeline that writes into Chroma."""

import shutil
from typing import Any

import pytest

from config.read import read_pipeline
from tasks.upsert.chroma.store import ChromaStore
from tasks.upsert.open import open_store
from tests.chroma_server import shared_server
from tests.conftest import Pipeline


@pytest.fixture(params=["folder", "server"])
def chroma(request: pytest.FixtureRequest, pipeline: Pipeline) -> Pipeline:
    """With a private server, and with one that others may use."""
    place = "path: ./db" if request.param == "folder" else f"url: {shared_server().url}"
    store = f"{{kind: chroma, {place}, collection: '{pipeline.folder.name}-{request.param}'}}"
    pipeline.config.write_text(pipeline.config.read_text().replace("{kind: qdrant, path: ./db}", store))
    return pipeline


def records(pipeline: Pipeline) -> dict[str, list[str]]:
    settings = read_pipeline(pipeline.config)
    store = open_store(settings.store, settings.name)
    texts: dict[str, list[str]] = {}
    for _, payload in store.scan():
        texts.setdefault(payload["metadata"]["document"], []).append(payload["text"])
    store.close()
    return {document: sorted(found) for document, found in texts.items()}


def wipe(pipeline: Pipeline) -> None:
    settings = read_pipeline(pipeline.config)
    store = open_store(settings.store, settings.name)
    assert isinstance(store, ChromaStore)
    connection = store._connection(create=True)
    assert connection is not None
    connection.database("DELETE", "collections", store._name)
    store.close()


def found(pipeline: Pipeline, query: str, *options: str) -> list[Any]:
    hits: list[Any] = pipeline.run("search", str(pipeline.config), query, "--json", *options).json["hits"]
    return hits


def test_a_collection_follows_its_sources(chroma: Pipeline) -> None:
    for number in range(30):
        chroma.write(f"many/{number}.txt", f"page number {number}")
    first = chroma.sync()
    assert (first["code"], first["documents"]["added"]) == (0, 33)
    assert (chroma.sync()["tokens"]["embedded"], len(records(chroma))) == (0, 33)

    chroma.write("b.md", "# Beta\n\nAnother page.\n")
    assert chroma.sync()["documents"]["changed"] == 1
    assert "Another page." in records(chroma)["b.md"][0]

    before = records(chroma)
    wipe(chroma)
    repaired = chroma.sync()
    assert (repaired["code"], repaired["tokens"]["embedded"], records(chroma)) == (0, 0, before)

    shutil.rmtree(chroma.folder / "docs/many")
    withheld = chroma.sync()
    assert (withheld["code"], withheld["documents"]["withheld"], len(records(chroma))) == (25, 30, 33)
    assert chroma.sync("--confirm-deletes", withheld["plan_hash"])["documents"]["deleted"] == 30
    assert records(chroma).keys() == {"a.md", "b.md", "sub/c.txt"}
    assert chroma.run("verify", str(chroma.config), "--json").json["ok"]


def test_a_search_takes_filters(chroma: Pipeline) -> None:
    chroma.sync()
    assert found(chroma, "Plain text of the third page.")[0]["document"] == "docs:sub/c.txt"
    assert {hit["document"] for hit in found(chroma, "page", "--filter", "document=b.md")} == {"docs:b.md"}
    others = {hit["document"] for hit in found(chroma, "page", "--filter", "document!=b.md")}
    assert others == {"docs:a.md", "docs:sub/c.txt"}
    assert {hit["metadata"]["position"] for hit in found(chroma, "page", "--filter", "position>=1")} == {1}
