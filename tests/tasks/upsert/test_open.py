"""Settings become a store."""

import sys
from pathlib import Path

import numpy as np
import psycopg
import pytest
from pydantic import ValidationError

from config.pipeline import Pipeline
from tasks.errors import MissingExtraError
from tasks.records import PointId
from tasks.upsert.memory import MemoryStore
from tasks.upsert.open import open_store
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.chroma_server import shared_server
from tests.points import Point, columns

ID = PointId("6f0c3f4e-6f39-4f0c-9d0b-0b1f5a1c2d3e")


def pipeline(store: dict[str, str]) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": "handbook",
            "sources": [{"kind": "files", "path": "docs"}],
            "embedder": {"kind": "hashing"},
            "store": store,
        }
    )


def write_one(settings: Pipeline) -> None:
    store = open_store(settings.store, settings.name)
    store.ensure(8)
    store.upsert(columns(Point(ID, np.ones(8, dtype=np.float32), {"text": "x"})))
    store.close()


def test_a_collection_is_named_after_the_pipeline(tmp_path: Path) -> None:
    settings = pipeline({"kind": "qdrant", "path": str(tmp_path)})
    write_one(settings)
    assert [path.name for path in tmp_path.iterdir()] == ["handbook"]
    assert open_store(settings.store, settings.name).present([ID]) == {ID}


def test_a_collection_has_the_name_that_the_settings_give_it(tmp_path: Path) -> None:
    write_one(pipeline({"kind": "qdrant", "path": str(tmp_path), "collection": "other"}))
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_chroma_server_is_asked_for_the_pipelines_collection() -> None:
    settings = pipeline({"kind": "chroma", "url": shared_server().url, "token": "a-token"})
    write_one(settings)
    store = open_store(settings.store, "handbook")
    assert store.present([ID]) == {ID}
    store.close()


def test_a_folder_of_chroma_has_a_server_of_its_own(tmp_path: Path) -> None:
    settings = pipeline({"kind": "chroma", "path": str(tmp_path)})
    write_one(settings)
    assert (tmp_path / "chroma.sqlite3").exists()
    store = open_store(settings.store, "handbook")
    assert store.present([ID]) == {ID}
    store.close()


def test_every_store_in_memory_is_a_new_one() -> None:
    settings = pipeline({"kind": "memory"})
    write_one(settings)
    store = open_store(settings.store, settings.name)
    assert isinstance(store, MemoryStore)
    assert store.count() == 0


def test_a_table_has_the_names_that_the_settings_give_it(postgres_url: str) -> None:
    settings = pipeline({"kind": "pgvector", "url": postgres_url, "schema_name": "vectors", "collection": "other"})
    write_one(settings)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT id::text FROM vectors.other").fetchall() == [(ID,)]


def test_a_table_of_lancedb_is_named_after_the_pipeline(tmp_path: Path) -> None:
    write_one(pipeline({"kind": "lancedb", "path": str(tmp_path)}))
    assert [path.name for path in tmp_path.iterdir()] == ["handbook.lance"]


@pytest.mark.parametrize("store", [{"kind": "pgvector", "url": "postgresql://h/d"}, {"kind": "lancedb"}])
def test_a_store_whose_package_is_missing_names_the_extra(
    store: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = store["kind"]
    for name in [name for name in sys.modules if name.startswith(f"tasks.upsert.{kind}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, kind, None)
    settings = pipeline(store)
    with pytest.raises(MissingExtraError, match=rf"\.\[{kind}\]"):
        open_store(settings.store, settings.name)


def test_a_qdrant_store_is_a_folder_or_a_server_and_not_both() -> None:
    server = pipeline({"kind": "qdrant", "url": "http://host:6333", "api_key": "k"})
    assert isinstance(open_store(server.store, server.name), QdrantServerStore)
    folder = pipeline({"kind": "qdrant"})
    assert isinstance(open_store(folder.store, folder.name), QdrantStore)
    with pytest.raises(ValidationError, match="expected one of the two"):
        pipeline({"kind": "qdrant", "path": "db", "url": "http://host:6333"})
    with pytest.raises(ValidationError, match="expected `url` beside it"):
        pipeline({"kind": "qdrant", "path": "db", "api_key": "k"})
    with pytest.raises(ValidationError, match="no web address"):
        pipeline({"kind": "qdrant", "url": "host:6333"})
