"""A change of the model, without a minute of wrong search: rebuild, switch, rollback, and what is left half done."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.read import read_pipeline
from tasks.errors import ServiceError
from tasks.ledger.generations import Generation, Registry
from tasks.records import Bookkeeping, Points, Query
from tasks.session import open_session
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.conftest import Pipeline
from tests.earlier import unpacked
from tests.openai_server import OpenAIServer
from tests.pinecone_server import KEY


def configure(pipeline: Pipeline, old: str, new: str) -> None:
    text = pipeline.config.read_text()
    assert old in text
    pipeline.config.write_text(text.replace(old, new))


def ask(pipeline: Pipeline, command: str, *options: str, code: int = 0) -> Any:
    outcome = pipeline.run(command, str(pipeline.config), "--json", *options)
    assert outcome.code == code, outcome.err
    return outcome.json


def found(pipeline: Pipeline, query: str = "second page") -> list[str]:
    return [hit["document"] for hit in ask(pipeline, "search", query)["hits"]]


def states(pipeline: Pipeline) -> dict[int, str]:
    return {one["generation"]: one["state"] for one in ask(pipeline, "generations")}


@pytest.fixture
def edited(pipeline: Pipeline) -> Pipeline:
    """Synced, then given another model."""
    assert pipeline.sync()["code"] == 0
    configure(pipeline, "dimensions: 64", "dimensions: 96")
    return pipeline


def test_a_run_without_work_reads_what_there_is_three_times(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it chooses one, under the lease, and in the end."""
    pipeline.sync()
    read, times = Registry.generations, list[int]()

    def counted(registry: Registry) -> list[Generation]:
        times.append(1)
        return read(registry)

    monkeypatch.setattr(Registry, "generations", counted)
    assert pipeline.sync()["code"] == 0
    assert len(times) == 3


def test_searches_go_on_from_an_edited_configuration_to_a_rollback(edited: Pipeline) -> None:
    for command in ("sync", "plan"):
        refused = edited.run(command, str(edited.config))
        assert refused.code == 5
        assert "run `headrace rebuild`" in refused.err
    assert ask(edited, "where")["dimension"] == 64
    assert found(edited)[0] == "docs:b.md"
    assert ask(edited, "verify")["ok"]
    assert ask(edited, "status")["dimension"] == 64
    report = ask(edited, "rebuild")
    assert (report["generation"], report["switched"], report["outcome"]) == (2, True, "done")
    assert (report["documents"]["added"], report["chunks"]["embedded"], report["chunks"]["total"]) == (3, 4, 4)
    assert found(edited)[0] == "docs:b.md"
    assert ask(edited, "where")["dimension"] == 96
    assert edited.sync()["code"] == 0
    edited.write("b.md", "# Beta\n\nAnother second page.\n")
    assert edited.sync()["generation"] == 2
    back = ask(edited, "rollback")
    assert (back["generation"], back["switched"], back["documents"]["changed"]) == (1, True, 1)
    assert back["chunks"]["embedded"] == 1  # what changed since; the switch itself embeds nothing
    assert ask(edited, "where")["dimension"] == 64
    assert states(edited) == {1: "live", 2: "kept"}
    report = edited.sync()
    assert (report["code"], report["generation"]) == (0, 1)
    assert "generation 1 was rolled back to" in report["notes"][0]
    configure(edited, "dimensions: 96", "dimensions: 128")  # not what was rolled back from
    assert edited.sync()["code"] == 5
    assert ask(edited, "rebuild")["generation"] == 3
    assert states(edited) == {1: "kept", 3: "live"}


def test_a_rollback_embeds_nothing_and_a_second_one_goes_forward(edited: Pipeline) -> None:
    ask(edited, "rebuild")
    for generation in (1, 2, 1):
        back = ask(edited, "rollback")
        assert (back["generation"], back["chunks"]["embedded"], back["chunks"]["written"]) == (generation, 0, 0)
    configure(edited, "dimensions: 96", "dimensions: 64")
    assert edited.sync()["notes"] == []


def test_there_is_nothing_to_go_back_to_at_first(pipeline: Pipeline) -> None:
    pipeline.sync()
    outcome = pipeline.run("rollback", str(pipeline.config))
    assert outcome.code == 2
    assert "no generation to go back to" in outcome.err


def test_a_rebuild_of_nothing_is_a_sync(pipeline: Pipeline) -> None:
    report = ask(pipeline, "rebuild")
    assert (report["generation"], report["switched"], report["documents"]["added"]) == (1, False, 3)
    assert states(pipeline) == {1: "live"}


def test_a_sync_may_rebuild_and_other_chunks_need_no_other_model(pipeline: Pipeline) -> None:
    pipeline.write("long.txt", "\n\n".join(f"Paragraph {number} of many words here." for number in range(60)))
    pipeline.sync()
    configure(pipeline, "store:", "chunking: {max_tokens: 32}\nstore:")
    report = ask(pipeline, "sync", "--rebuild")
    assert (report["generation"], report["switched"]) == (2, True)
    assert report["chunks"]["reused"] >= 4  # from the cache: the same texts, the same model
    assert report["chunks"]["total"] > ask(pipeline, "rollback")["chunks"]["total"]
    assert "rolled back to" in pipeline.sync()["notes"][0]


def break_off(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(target, fail)


def test_an_unfinished_build_is_gone_on_with_while_the_live_one_is_synced(
    edited: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_off(patch, "tasks.sync.rebuild._Rebuild._catch_up")
        assert edited.run("rebuild", str(edited.config)).code == 130
    assert states(edited) == {1: "live", 2: "building"}
    edited.write("new.md", "# Gamma\n\nThird page.\n")
    report = edited.sync()
    assert (report["code"], report["generation"], report["documents"]["added"]) == (0, 1, 1)
    assert "generation 2 is being built" in report["notes"][0]
    assert "docs:new.md" in found(edited, "third page")
    report = ask(edited, "rebuild")
    assert (report["generation"], report["switched"]) == (2, True)
    assert (report["documents"]["unchanged"], report["documents"]["added"]) == (3, 1)


def test_an_unfinished_build_with_other_settings_is_thrown_away(
    edited: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_off(patch, "tasks.sync.rebuild._Rebuild._catch_up")
        edited.run("rebuild", str(edited.config))
    configure(edited, "dimensions: 96", "dimensions: 128")
    report = ask(edited, "rebuild")
    assert (report["generation"], report["switched"]) == (3, True)
    assert "generation 2 was begun with other settings" in " ".join(report["notes"])
    assert states(edited) == {1: "kept", 3: "live"}
    assert sorted(path.name for path in (edited.folder / "db").iterdir()) == ["trial", "trial-3", "trial-live"]
    assert sorted(path.name for path in (edited.folder / "state").glob("trial.db*")) == [
        "trial.db", "trial.db.3", "trial.db.3.lock", "trial.db.lock",
    ]  # fmt: skip


def test_a_document_that_only_the_live_generation_has_is_not_lost_by_a_switch(edited: Pipeline) -> None:
    (edited.folder / "docs/b.md").write_bytes(b"\x00\x01\x02 no text \xff\xfe\x00")
    report = ask(edited, "rebuild", code=1)
    assert (report["generation"], report["switched"], report["outcome"]) == (2, False, "partial")
    assert "1 documents of the live generation would not be found" in " ".join(report["notes"])
    assert found(edited)[0] == "docs:b.md"
    report = ask(edited, "rebuild", "--confirm-deletes", report["plan_hash"], code=1)
    assert report["switched"]
    assert "docs:b.md" not in found(edited)


def test_a_document_that_the_live_generation_lacks_as_well_stops_no_switch(edited: Pipeline) -> None:
    edited.write("bad.pdf", "no PDF")
    report = ask(edited, "rebuild", code=1)
    assert (report["switched"], report["documents"]["quarantined"]) == (True, 1)


def test_a_switch_that_loses_many_documents_waits_for_a_word(pipeline: Pipeline) -> None:
    for number in range(30):
        pipeline.write(f"many/{number}.txt", f"page number {number}")
    pipeline.sync()
    configure(pipeline, "dimensions: 64", "dimensions: 96")
    shutil.rmtree(pipeline.folder / "docs/many")
    report = ask(pipeline, "rebuild", code=25)
    assert (report["switched"], report["outcome"]) == (False, "withheld")
    assert ask(pipeline, "where")["generation"] == 1
    assert ask(pipeline, "rebuild", "--confirm-deletes", report["plan_hash"])["switched"]


def test_an_incomplete_listing_never_switches(edited: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "kind: files\n    path: ./docs\n    canary: missing.md"
    configure(edited, "kind: files\n    path: ./docs", canary)
    report = ask(edited, "rebuild", "--confirm-deletes", "anything", code=1)
    assert (report["switched"], report["unlisted"]) == (False, 1)
    assert states(edited) == {1: "live", 2: "building"}


def test_money_is_looked_at_before_it_is_spent(pipeline: Pipeline, openai_server: OpenAIServer) -> None:
    pipeline.sync()
    paid = (
        "{kind: openai, dimensions: 8, max_usd: 0.0000001, api_key: '${OPENAI_KEY}',"
        f" base_url: '{openai_server.url}'}}"
    )
    configure(pipeline, "{kind: hashing, dimensions: 64}", paid)
    assert ask(pipeline, "rebuild", code=4)["error"].startswith("nothing was built: max_usd is 1e-07")
    assert states(pipeline) == {1: "live"}
    assert openai_server.requests == []
    configure(pipeline, "0.0000001", "1")
    assert ask(pipeline, "rebuild")["switched"]
    rows = json.dumps(ask(pipeline, "generations"))
    assert "text-embedding-3-small" in rows
    state = b"".join(path.read_bytes() for path in (pipeline.folder / "state").glob("trial.db*"))
    assert openai_server.key.encode() not in state
    assert ask(pipeline, "rollback")["generation"] == 1
    assert found(pipeline)[0] == "docs:b.md"


def test_a_full_disk_is_noticed_before_a_build(edited: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(edited.folder)._replace(free=1 << 20)
    monkeypatch.setattr("tasks.sync.rebuild.shutil.disk_usage", lambda _: usage)
    refused = edited.run("rebuild", str(edited.config))
    assert refused.code == 70
    assert "another generation needs about" in refused.err
    assert states(edited) == {1: "live"}


def test_a_collection_of_several_pipelines_has_no_generations(pipeline: Pipeline) -> None:
    configure(pipeline, "path: ./db", "path: ./db, shared: true, collection: all-of-us")
    pipeline.sync()
    refused = pipeline.run("rebuild", str(pipeline.config))
    assert refused.code == 2
    assert "shared with other pipelines" in refused.err
    configure(pipeline, "dimensions: 64", "dimensions: 96")
    refused = pipeline.run("sync", str(pipeline.config))
    assert refused.code == 5
    assert "name another `collection`" in refused.err
    assert "headrace rebuild" not in refused.err
    assert states(pipeline) == {1: "live"}


def test_so_many_generations_are_kept_as_were_asked_for(pipeline: Pipeline) -> None:
    pipeline.sync()
    for number in range(2, 5):
        ask(pipeline, "rebuild")
        assert states(pipeline) == {number - 1: "kept", number: "live"}
    assert sorted(path.name for path in (pipeline.folder / "db").iterdir()) == ["trial-3", "trial-4", "trial-live"]
    configure(pipeline, "path: ./db", "path: ./db, keep_generations: 2")
    ask(pipeline, "rebuild")
    assert states(pipeline) == {3: "kept", 4: "kept", 5: "live"}


def test_an_old_generation_goes_with_a_sync_and_the_one_before_never(pipeline: Pipeline) -> None:
    configure(pipeline, "path: ./db", "path: ./db, keep_generations: 3, keep_days: 30")
    pipeline.sync()
    for _ in range(3):
        ask(pipeline, "rebuild")
    assert states(pipeline) == {1: "kept", 2: "kept", 3: "kept", 4: "live"}
    with sqlite3.connect(pipeline.folder / "state/trial.db") as ledger:
        ledger.execute("UPDATE generation SET since = since - 31 * 86400 WHERE number = 1")
    assert pipeline.sync()["code"] == 0
    assert states(pipeline) == {2: "kept", 3: "kept", 4: "live"}
    with sqlite3.connect(pipeline.folder / "state/trial.db") as ledger:
        ledger.execute("UPDATE generation SET since = since - 62 * 86400")
    assert pipeline.sync()["code"] == 0
    assert states(pipeline) == {3: "kept", 4: "live"}


def test_dropping_needs_a_word_for_the_one_before_and_never_takes_the_live_one(edited: Pipeline) -> None:
    ask(edited, "rebuild")
    path = str(edited.config)
    for number, why in (("2", "is the live one"), ("1", "--confirm 1"), ("7", "no generation 7")):
        refused = edited.run("generations", path, "--drop", number)
        assert (refused.code, why in refused.err) == (2, True)
    [left] = ask(edited, "generations", "--drop", "1", "--confirm", "1")
    assert (left["generation"], left["documents"], left["chunks"], left["live"]) == (2, 3, 4, True)
    assert not (edited.folder / "db/trial").exists()
    assert edited.sync()["code"] == 0
    assert edited.run("rollback", path).code == 2


def test_a_collection_of_somebody_else_is_passed_by_and_never_dropped(pipeline: Pipeline) -> None:
    other = pipeline.folder / "other.yaml"
    text = pipeline.config.read_text()
    other.write_text(text.replace("name: trial", "name: trial-2").replace("trial.db", "other.db"))
    assert pipeline.run("sync", str(other)).code == 0
    pipeline.sync()
    assert ask(pipeline, "rebuild")["generation"] == 3
    ask(pipeline, "rebuild")
    assert pipeline.run("search", str(other), "page").code == 0


def test_a_lost_ledger_finds_the_live_generation_by_its_published_name(edited: Pipeline) -> None:
    ask(edited, "rebuild")
    for path in (edited.folder / "state").glob("trial.db*"):
        path.unlink()
    report = edited.sync()
    assert (report["code"], report["generation"], report["chunks"]["embedded"]) == (0, 2, 0)
    assert states(edited) == {2: "live"}
    for path in (edited.folder / "state").glob("trial.db*"):
        path.unlink()
    configure(edited, "dimensions: 96", "dimensions: 64")
    assert edited.sync()["code"] == 5


def test_a_name_that_could_not_be_published_is_told_and_published_by_the_next_run(
    edited: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer, publish, calls = edited.folder / "db/trial-live", QdrantStore.publish, list[str]()

    def refused(store: QdrantStore, name: str) -> None:
        calls.append(name)
        if len(calls) == 2:  # the first one is asked whether it may
            raise ServiceError("no right")
        publish(store, name)

    with monkeypatch.context() as patch:
        patch.setattr(QdrantStore, "publish", refused)
        report = ask(edited, "rebuild")
    assert report["switched"]
    assert "does not lead to the live collection yet: no right" in " ".join(report["notes"])
    assert (pointer.read_text(), ask(edited, "where")["alias"]) == ("trial\n", None)
    assert edited.sync()["notes"] == []
    assert (pointer.read_text(), ask(edited, "where")["alias"]) == ("trial-2\n", "trial-live")


def test_a_name_that_leads_to_data_of_others_is_left_to_them(pipeline: Pipeline) -> None:
    (pipeline.folder / "db").mkdir()
    pointer = pipeline.folder / "db/trial-live"
    pointer.write_text("theirs\n")
    refused = pipeline.run("sync", str(pipeline.config))
    assert refused.code == 5
    assert "'theirs', which is no generation of 'trial'" in refused.err
    pointer.unlink()
    pipeline.sync()
    pointer.write_text("theirs\n")
    assert pipeline.run("rebuild", str(pipeline.config)).code == 5
    assert pointer.read_text() == "theirs\n"


def test_a_ledger_of_the_time_before_generations_can_be_rebuilt(pipeline: Pipeline) -> None:
    shutil.rmtree(pipeline.folder / "docs")
    unpacked("hashing", pipeline.folder)
    configure(pipeline, "dimensions: 64", "dimensions: 96")
    assert pipeline.run("search", str(pipeline.config), "page").code == 5  # nobody knows what it was built with
    assert ask(pipeline, "rebuild")["switched"]
    assert states(pipeline) == {1: "kept", 2: "live"}


class Reader(threading.Thread):
    """Searches as another process would, again and again."""

    def __init__(self, config: Path) -> None:
        super().__init__()
        self._config = config
        self.ended = threading.Event()
        self.spaces: list[set[str]] = []
        self.refused: list[Exception] = []

    def run(self) -> None:
        while not self.ended.wait(0.01):
            try:
                with open_session(read_pipeline(self._config), read_only=True) as session:
                    hits = session.store.search(Query(session.embedder.embed_query("page"), 5))
                    self.spaces.append({str(Book.of(hit.payload).space) for hit in hits})
            except Exception as error:
                self.refused.append(error)


class Book:
    @staticmethod
    def of(payload: Any) -> Bookkeeping:
        from tasks.dedupe.identity import bookkeeping

        book = bookkeeping(payload)
        assert book is not None
        return book


def in_store(name: str, pipeline: Pipeline, store_address: Callable[[str], str]) -> None:
    """Another store in the configuration."""
    collection = pipeline.folder.name.replace("_", "-")
    address = store_address(name)
    stores = {
        "qdrant server": f"{{kind: qdrant, url: '{address}', collection: {collection}}}",
        "pgvector": f"{{kind: pgvector, url: '{address}', collection: {collection}}}",
        "chroma server": f"{{kind: chroma, url: '{address}', collection: {collection}}}",
        "pinecone": f"{{kind: pinecone, index: trial, host: '{address}', collection: {collection}}}",
    }
    configure(pipeline, "{kind: qdrant, path: ./db}", stores[name])


@pytest.mark.parametrize("name", ["qdrant server", "pgvector", "chroma server", "pinecone"])
def test_a_reader_on_any_server_sees_one_whole_generation(
    name: str, pipeline: Pipeline, store_address: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    configure(pipeline, "dimensions: 64", "dimensions: 8")
    in_store(name, pipeline, store_address)
    assert pipeline.sync()["code"] == 0
    first = ask(pipeline, "where")
    configure(pipeline, "dimensions: 8", "dimensions: 96")
    reader = Reader(pipeline.config)
    reader.start()
    assert ask(pipeline, "rebuild")["switched"]
    reader.ended.set()
    reader.join()
    assert reader.refused == []
    assert reader.spaces
    assert all(len(spaces) == 1 for spaces in reader.spaces)  # neither empty nor mixed
    second = ask(pipeline, "where")
    assert first["alias"] == second["alias"] is not None
    assert second["collection"] != first["collection"]
    assert found(pipeline)[0] == "docs:b.md"
    assert ask(pipeline, "rollback")["generation"] == 1
    assert ask(pipeline, "where") == first
    ask(pipeline, "generations", "--drop", "2", "--confirm", "2")
    assert pipeline.sync()["code"] == 0


def test_a_ledger_on_postgresql_has_a_schema_for_each_generation(pipeline: Pipeline, postgres_url: str) -> None:
    import psycopg

    configure(pipeline, "sqlite:///state/trial.db", postgres_url)
    pipeline.sync()
    configure(pipeline, "dimensions: 64", "dimensions: 96")
    assert ask(pipeline, "rebuild")["switched"]
    assert ask(pipeline, "rollback")["generation"] == 1
    ask(pipeline, "generations", "--drop", "2", "--confirm", "2")
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'headrace%'").fetchall()
    assert rows == [("headrace_trial",)]


@pytest.mark.parametrize("store", ["{kind: qdrant, path: ./db", "{kind: lancedb, path: ./lance"])
def test_another_precision_is_another_generation_and_costs_nothing(pipeline: Pipeline, store: str) -> None:
    configure(pipeline, "{kind: qdrant, path: ./db}", store + "}")
    assert pipeline.sync()["code"] == 0
    configure(pipeline, store, store + ", precision: float16")
    pipeline.write("b.md", "# Beta\n\nAnother second page.\n")
    refused = pipeline.run("sync", str(pipeline.config))
    assert refused.code == 5
    assert "keeps vectors as float32" in refused.err
    assert "headrace rebuild" in refused.err
    report = ask(pipeline, "rebuild")
    assert (report["generation"], report["switched"], report["chunks"]["embedded"]) == (2, True, 1)
    assert found(pipeline)[0] == "docs:b.md"
    verified = ask(pipeline, "verify")
    assert (verified["ok"], verified["sampled"]) == (True, 4)
    assert pipeline.sync()["code"] == 0
    assert ask(pipeline, "rollback")["generation"] == 1
    report = pipeline.sync()
    assert (report["code"], report["generation"]) == (0, 1), "with the precision that it was built with"
    assert ask(pipeline, "verify")["ok"]


def test_a_wrong_vector_of_16_bits_is_found_and_mended(pipeline: Pipeline) -> None:
    configure(pipeline, "path: ./db}", "path: ./db, precision: float16}")
    pipeline.sync()
    with QdrantStore(str(pipeline.folder / "db"), "trial", precision="float16") as store:
        [one, other, *_] = (point for point, _ in store.scan())
        payload = dict(store.scan())[one]
        store.upsert(Points([one], store.vectors([other])[other][None], [payload]))
    wrong = ask(pipeline, "verify", code=1)
    assert (wrong["wrong_vector"], wrong["sampled"]) == (1, 4)
    mended = ask(pipeline, "verify", "--repair")
    assert (mended["ok"], mended["sync"]["chunks"]["embedded"]) == (True, 0)
