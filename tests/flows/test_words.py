"""The index of words, beside a store that has none and in one that has lost its own."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.errors import NoTextIndexError
from tasks.records import Filter, Query, Sentinel
from tasks.upsert.memory import MemoryStore
from tasks.upsert.words.index import WordIndex
from tasks.upsert.words.store import WordedStore
from tests.chroma_server import shared_server
from tests.conftest import Pipeline
from tests.contracts.store.trial import ANYWHERE, point
from tests.points import Point, columns
from tests.qdrant_server import QdrantServer


def pages(pipeline: Pipeline, store: str) -> None:
    """Two of them, synced into that store."""
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    pipeline.write("pump.md", "Grease the zerkbolt every 400 hours.")
    pipeline.write("menu.md", "Soup, bread and a salad with walnuts.")
    pipeline.config.write_text(pipeline.config.read_text().replace("{kind: qdrant, path: ./db}", store))
    assert pipeline.sync()["code"] == 0


@pytest.fixture
def chroma(pipeline: Pipeline) -> Pipeline:
    pages(pipeline, f"{{kind: chroma, url: {shared_server().url}, collection: 'words-{pipeline.folder.name}'}}")
    return pipeline


def words_file(pipeline: Pipeline) -> Path:
    return pipeline.folder / "state" / "trial.db.words"


def search(pipeline: Pipeline, query: str, *options: str) -> Any:
    return pipeline.run("search", str(pipeline.config), query, "--mode", "text", "--json", *options).json


def verify(pipeline: Pipeline, *options: str) -> Any:
    return pipeline.run("verify", str(pipeline.config), "--json", *options).json


def test_words_are_found_and_follow_the_documents(chroma: Pipeline) -> None:
    assert [hit["document"] for hit in search(chroma, "zerkbolts")["hits"]] == ["docs:pump.md"]
    assert search(chroma, "zerkbolt", "--filter", "document=menu.md")["hits"] == []
    assert chroma.run("search", str(chroma.config), "zerkbolt", "--json").json["mode"] == "hybrid"
    chroma.write("pump.md", "Grease the flange.")
    chroma.sync()
    assert search(chroma, "zerkbolt")["hits"] == []
    assert len(search(chroma, "flange")["hits"]) == 1


def test_a_lost_or_damaged_index_is_told_and_made_again_for_nothing(chroma: Pipeline) -> None:
    words_file(chroma).unlink()
    assert "the next sync makes it" in search(chroma, "zerkbolt")["error"]
    assert verify(chroma)["unworded"] == 2
    report = chroma.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["written"]) == (0, 0)
    assert len(search(chroma, "zerkbolt")["hits"]) == 1
    words_file(chroma).write_bytes(b"no database " * 1000)
    assert search(chroma, "zerkbolt")["error"]
    chroma.sync()
    assert len(search(chroma, "zerkbolt")["hits"]) == 1


def test_verify_finds_stale_words_and_mends_them(chroma: Pipeline) -> None:
    assert verify(chroma)["unworded"] == 0
    database = sqlite3.connect(words_file(chroma))
    with database:
        database.execute("UPDATE words SET text = 'something else'")
    database.close()
    assert (verify(chroma)["ok"], verify(chroma)["unworded"]) == (False, 2)
    done = verify(chroma, "--repair")
    assert (done["ok"], done["repaired"], done["left"]["unworded"]) == (True, 2, 0)
    assert len(search(chroma, "zerkbolt")["hits"]) == 1


def test_another_language_is_another_index_and_embeds_nothing(chroma: Pipeline) -> None:
    chroma.config.write_text(chroma.config.read_text() + "search: {language: none}\n")
    assert chroma.run("rebuild", str(chroma.config), "--json").json["chunks"]["embedded"] == 0
    assert search(chroma, "zerkbolts")["hits"] == []
    assert len(search(chroma, "zerkbolt")["hits"]) == 1


def test_words_lie_on_the_server_where_the_ledger_does(
    chroma: Pipeline, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER", postgres_url)
    own = chroma.folder / "state"
    text = chroma.config.read_text().replace("sqlite:///state/trial.db", "${LEDGER}").replace("words-", "shared-")
    chroma.config.write_text(text)
    assert chroma.sync()["code"] == 0
    files = sorted(own.iterdir())
    assert [hit["document"] for hit in search(chroma, "zerkbolts")["hits"]] == ["docs:pump.md"]
    assert chroma.run("search", str(chroma.config), "zerkbolt", "--json").json["mode"] == "hybrid"
    assert verify(chroma)["unworded"] == 0
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute("UPDATE \"headrace_trial:1:words\".words SET text = 'something else'")
        assert verify(chroma)["unworded"] == 2
        assert verify(chroma, "--repair")["left"]["unworded"] == 0
        chroma.config.write_text(text + "search: {language: none}\n")
        assert chroma.run("rebuild", str(chroma.config), "--json").json["chunks"]["embedded"] == 0
        assert (search(chroma, "zerkbolts")["hits"], len(search(chroma, "zerkbolt")["hits"])) == ([], 1)
        assert chroma.run("generations", str(chroma.config), "--drop", "1", "--confirm", "1").code == 0
        names = server.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%words'").fetchall()
    assert names == [("headrace_trial:2:words",)]
    assert sorted(own.iterdir()) == files


def test_a_damaged_index_leaves_the_search_by_vectors(chroma: Pipeline) -> None:
    words_file(chroma).write_bytes(b"no database " * 1000)
    shape = chroma.run("search", str(chroma.config), "zerkbolt", "--json").json
    assert (shape["mode"], len(shape["hits"])) == ("dense", 2)


@pytest.fixture
def old_server(pipeline: Pipeline) -> Iterator[QdrantServer]:
    """A server of Qdrant that cannot rank words yet, with a collection."""
    with QdrantServer() as server:
        server.version = "1.19.3"
        pages(pipeline, f"{{kind: qdrant, url: '{server.url}'}}")
        yield server


def test_a_server_that_is_too_old_to_rank_words_has_them_beside_the_ledger(
    pipeline: Pipeline, old_server: QdrantServer
) -> None:
    (collection,) = old_server.collections.values()
    assert "text" not in collection.schema
    assert [hit["document"] for hit in search(pipeline, "zerkbolts")["hits"]] == ["docs:pump.md"]
    assert pipeline.run("search", str(pipeline.config), "zerkbolt", "--json").json["mode"] == "hybrid"
    words_file(pipeline).unlink()
    assert verify(pipeline)["unworded"] == 2
    assert verify(pipeline, "--repair")["left"]["unworded"] == 0
    assert len(search(pipeline, "zerkbolt")["hits"]) == 1
    pipeline.write("pump.md", "Grease the flange.")
    pipeline.sync()
    assert (search(pipeline, "zerkbolt")["hits"], len(search(pipeline, "flange")["hits"])) == ([], 1)


def test_a_server_that_learns_to_rank_words_does_it_from_the_next_sync_on(
    pipeline: Pipeline, old_server: QdrantServer
) -> None:
    (collection,) = old_server.collections.values()
    params = {"type": "text", "tokenizer": "word", "lowercase": True}  # as a server makes it that knows no scores
    collection.schema["text"] = {"data_type": "text", "points": 2, "params": params}
    assert len(search(pipeline, "zerkbolts")["hits"]) == 1
    old_server.version = "1.20.0"
    report = pipeline.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["written"]) == (0, 0)
    assert collection.schema["text"]["params"]["scoring"]
    assert not words_file(pipeline).exists()
    assert len(search(pipeline, "zerkbolts")["hits"]) == 1
    assert verify(pipeline)["ok"]


def lost_on_a_server(pipeline: Pipeline, request: pytest.FixtureRequest) -> Callable[[], object]:
    server = QdrantServer().__enter__()
    request.addfinalizer(server.__exit__)
    pages(pipeline, f"{{kind: qdrant, url: '{server.url}', collection: 'lost-words'}}")
    return lambda: server.collections["lost-words"].schema.pop("text")


def lost_in_postgresql(pipeline: Pipeline, request: pytest.FixtureRequest) -> Callable[[], object]:
    address = request.getfixturevalue("postgres_url").replace("+psycopg", "")
    pages(pipeline, f"{{kind: pgvector, url: '{address}', schema_name: lost, collection: words}}")

    def lose() -> None:
        with psycopg.connect(address, autocommit=True) as server:
            server.execute("ALTER TABLE lost.words DROP COLUMN words")

    return lose


def lost_in_lance(pipeline: Pipeline, _request: pytest.FixtureRequest) -> Callable[[], object]:
    import lancedb

    pages(pipeline, "{kind: lancedb, path: ./lance, collection: words}")

    def lose() -> None:
        table = lancedb.connect(pipeline.folder / "lance").open_table("words")
        table.drop_index(next(index.name for index in table.list_indices() if index.columns == ["text"]))

    return lose


def lost_in_the_engine(pipeline: Pipeline, _request: pytest.FixtureRequest) -> Callable[[], object]:
    import qdrant_edge as engine

    pages(pipeline, "{kind: qdrant, path: ./db}")

    def lose() -> None:
        (folder,) = {path.parent for path in (pipeline.folder / "db").rglob("edge_config.json")}
        shard = engine.EdgeShard.load(str(folder))
        shard.update(engine.UpdateOperation.delete_field_index("text"))
        shard.flush()
        shard.close()

    return lose


@pytest.mark.parametrize("losing", [lost_on_a_server, lost_in_postgresql, lost_in_lance, lost_in_the_engine])
def test_a_store_that_lost_its_own_index_of_words_is_found_and_mended_for_nothing(
    losing: Callable[[Pipeline, pytest.FixtureRequest], Callable[[], object]],
    pipeline: Pipeline,
    request: pytest.FixtureRequest,
) -> None:
    lose = losing(pipeline, request)
    assert verify(pipeline)["ok"]
    lose()
    shape = pipeline.run("search", str(pipeline.config), "zerkbolt", "--json").json
    assert (shape["mode"], len(shape["hits"])) == ("dense", 2)
    found = verify(pipeline)
    assert (found["ok"], found["unworded"]) == (False, 2)
    done = verify(pipeline, "--repair")
    assert (done["ok"], done["left"]["unworded"], done["sync"]["chunks"]["written"]) == (True, 0, 0)
    assert [hit["document"] for hit in search(pipeline, "zerkbolts")["hits"]] == ["docs:pump.md"]


def test_whoever_asks_in_a_script_without_spaces_is_told_what_finds_its_words(pipeline: Pipeline) -> None:
    pipeline.write("zh.md", "轴承必须每四百小时润滑一次。")
    assert pipeline.sync()["code"] == 0
    out = pipeline.run("search", str(pipeline.config), "轴承", "--mode", "text").out
    assert "! no text has these words as they are indexed" in out
    pipeline.config.write_text(pipeline.config.read_text() + "search: {language: none}\n")
    assert pipeline.run("rebuild", str(pipeline.config), "--json").json["chunks"]["embedded"] == 0
    assert [hit["document"] for hit in search(pipeline, "轴承")["hits"]] == ["docs:zh.md"]
    assert "!" not in pipeline.run("search", str(pipeline.config), "菜单").out


@pytest.fixture
def store() -> WordedStore:
    made = WordedStore(MemoryStore(), WordIndex("sqlite://", "none"))
    made.ensure(8)
    made.mark(Sentinel("lineage", 1, "space"))
    return made


def record(text: str, **metadata: object) -> Point:
    made = point("a", **metadata)
    return made._replace(payload={**made.payload, "text": text})


def found(store: WordedStore, words: str, *conditions: Filter, limit: int = 10) -> list[str]:
    hits = store.search(Query(ANYWHERE, limit, conditions, words=words))
    return [str(hit.payload["text"]) for hit in hits]


def test_what_the_store_has_not_got_is_not_shown(store: WordedStore) -> None:
    """As where a run dies between the two."""
    store.upsert(columns(record("red apple"), ghost := record("green apple")))
    store._store.delete([ghost.id])
    assert found(store, "apple") == ["red apple"]
    store.ensure(8)
    assert len(store.states() or {}) == 1


def test_conditions_hold_before_the_limit(store: WordedStore) -> None:
    others = [record("apple apple apple", year=2000) for _ in range(50)]
    store.upsert(columns(*others, record("an apple among other things", year=2024)))
    assert found(store, "apple", Filter("year", ">=", (2024,)), limit=1) == ["an apple among other things"]


def test_scripts_without_spaces_are_searched_by_pairs_of_characters(store: WordedStore) -> None:
    texts = ["轴承必须每四百小时润滑一次", "スープとパンとサラダ", "ปั๊มร้อนเมื่อแบริ่งแห้ง", "Soup"]
    store.upsert(columns(*map(record, texts)))
    for query, text in (("轴承", 0), ("润滑", 0), ("サラダ", 1), ("แบริ่ง", 2), ("轴", 0), ("soup", 3)):
        assert found(store, query)[:1] == [texts[text]], query
    assert found(store, "菜单") == []


def test_a_collection_without_a_whole_index_has_none() -> None:
    store = WordedStore(MemoryStore(), WordIndex("sqlite://", "english"))
    store.ensure(8)
    with pytest.raises(NoTextIndexError, match="the next sync makes it"):
        found(store, "apple")
