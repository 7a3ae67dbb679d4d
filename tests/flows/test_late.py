"""Late chunking from the command line: documents are what is embedded again."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from flows.langchain import HeadraceEmbeddings
from tasks.errors import ConfigError
from tests.conftest import Pipeline
from tests.perplexity_server import PerplexityServer
from tests.tasks.embed.local.families import FAMILIES, build
from tests.voyage_server import VoyageServer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
TWO = "# Beta\n\nSecond page.\n\n## Price\n\nIt costs two crowns.\n\n## Colour\n\nIt is blue.\n"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(FAMILIES["BERT, mean"], tmp_path_factory.mktemp("late"))


@pytest.fixture
def late(pipeline: Pipeline, model: Path) -> Pipeline:
    text = pipeline.config.read_text().replace(
        "{kind: hashing, dimensions: 64}", f"{{kind: sentence-transformers, model: '{model}', device: cpu}}"
    )
    pipeline.config.write_text(f"{text}chunking: {{max_tokens: 60, late: true}}\n")
    pipeline.write("b.md", TWO)
    return pipeline


def test_a_changed_document_is_embedded_as_a_whole_and_no_other(late: Pipeline) -> None:
    planned = late.plan()
    first = late.sync()
    assert (first["outcome"], first["code"]) == ("done", 0)
    assert first["chunks"]["embedded"] == planned["chunks"]["embedded"] == 6
    assert first["tokens"]["embedded"] == planned["tokens"]["embedded"]
    whose, what = planned["notes"]
    assert "not in the registry, so its own files speak: mean pooling, 256 tokens, prompts ''" in whose
    assert "a changed document is embedded anew as a whole" in what
    assert late.sync()["chunks"]["embedded"] == 0
    others = HeadraceEmbeddings(late.config)
    assert np.linalg.norm(others.embed_query("crowns")) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ConfigError, match="a text alone has another one"):
        others.embed_documents(["It costs two crowns."])
    late.write("b.md", TWO.replace("two crowns", "three crowns"))
    planned, second = late.plan(), late.sync()
    assert second["chunks"]["embedded"] == planned["chunks"]["embedded"] == 3
    assert 0 < second["tokens"]["embedded"] == planned["tokens"]["embedded"] < first["tokens"]["embedded"]
    assert late.texts()["b.md"][1].endswith("It costs three crowns.")
    assert late.run("verify", str(late.config), "--json").json["ok"] is True


def test_going_back_costs_nothing_and_the_other_way_of_chunking_is_another_content(late: Pipeline) -> None:
    first = late.sync()["chunks"]
    late.write("b.md", TWO.replace("blue", "red"))
    late.sync()
    late.write("b.md", TWO)
    assert late.sync()["chunks"]["embedded"] == 0
    late.config.write_text(late.config.read_text().replace("late: true", "late: false"))
    assert late.sync()["chunks"]["embedded"] == first["embedded"]
    late.config.write_text(late.config.read_text().replace("late: false", "late: true"))
    assert late.sync()["chunks"]["embedded"] == 0


def test_a_ledger_that_was_lost_is_rebuilt_from_the_records(late: Pipeline) -> None:
    late.sync()
    for file in (late.folder / "state").glob("trial.db*"):
        file.unlink()
    assert late.sync()["chunks"]["embedded"] == 0
    assert late.run("verify", str(late.config), "--json").json["ok"] is True


@pytest.mark.parametrize("is_late", [True, False])
def test_a_text_without_a_vector_sets_its_document_aside_by_name(late: Pipeline, model: Path, is_late: bool) -> None:
    from safetensors.numpy import load_file, save_file
    from tokenizers import Tokenizer

    own = shutil.copytree(model, late.folder / "model")
    weights = load_file(own / "model.safetensors")
    [nine] = Tokenizer.from_file(str(own / "tokenizer.json")).encode("9", add_special_tokens=False).ids
    weights["embeddings.word_embeddings.weight"][nine] = np.nan
    save_file(weights, own / "model.safetensors", {"format": "pt"})
    text = late.config.read_text().replace(str(model), str(own))
    late.config.write_text(text if is_late else text.replace("late: true", "late: false"))
    late.write("b.md", TWO.replace("two", "9"))
    report = late.sync("--json")
    assert (report["code"], report["aside"]) == (1, {"rejected": 1})
    assert sorted(late.texts()) == ["a.md", "sub/c.txt"]
    [entry] = late.run("status", str(late.config), "--json").json["quarantine"]
    assert "b.md: one of its chunks cannot be embedded: the model answers a vector that is zero" in entry["message"]


def test_an_embedder_that_sees_each_text_alone_is_refused(late: Pipeline) -> None:
    lines = late.config.read_text().splitlines()
    hashing = [line if not line.startswith("embedder") else "embedder: {kind: hashing}" for line in lines]
    late.config.write_text("\n".join(hashing))
    refused = late.run("plan", str(late.config))
    assert refused.code == 2
    assert "embeds each text alone" in refused.err


@pytest.fixture
def voyage(monkeypatch: pytest.MonkeyPatch) -> Iterator[VoyageServer]:
    monkeypatch.setenv("VOYAGE_API_KEY", "sk-test")
    with VoyageServer() as server:
        yield server


@pytest.fixture
def contextual(pipeline: Pipeline, voyage: VoyageServer) -> Pipeline:
    embedder = f"{{kind: voyage, model: voyage-context-4, dimensions: 256, base_url: '{voyage.url}'}}"
    text = pipeline.config.read_text().replace("{kind: hashing, dimensions: 64}", embedder)
    pipeline.config.write_text(f"{text}chunking: {{max_tokens: 60, late: true}}\n")
    pipeline.write("b.md", TWO)
    return pipeline


def test_a_provider_is_sent_whole_documents_and_only_those_that_changed(
    contextual: Pipeline, voyage: VoyageServer
) -> None:
    planned, first = contextual.plan(), contextual.sync()
    assert (first["code"], first["chunks"]["embedded"]) == (0, planned["chunks"]["embedded"])
    assert first["tokens"]["embedded"] == planned["tokens"]["embedded"] > 0
    texts = contextual.texts()
    assert len(texts["b.md"]) == 3
    assert sorted(chunks for body in voyage.bodies for chunks in body["inputs"]) == sorted(texts.values())
    assert contextual.sync()["chunks"]["embedded"] == 0
    voyage.forget()
    contextual.write("b.md", TWO.replace("two crowns", "three crowns"))
    planned, second = contextual.plan(), contextual.sync()
    assert (second["code"], second["chunks"]["embedded"], planned["chunks"]["embedded"]) == (0, 3, 3)
    assert [body["inputs"] for body in voyage.bodies] == [[contextual.texts()["b.md"]]]
    hits = contextual.run("search", str(contextual.config), "--json", "Plain text of the third page.").json["hits"]
    assert hits[0]["document"] == "docs:sub/c.txt"
    assert contextual.run("verify", str(contextual.config), "--json").json["ok"] is True


def test_perplexitys_models_go_through_the_same_door(contextual: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with PerplexityServer() as server:
        embedder = f"{{kind: openai, model: pplx-embed-context-v1-4b, dimensions: 256, base_url: '{server.url}'}}"
        lines = contextual.config.read_text().splitlines()
        kept = [line if not line.startswith("embedder") else f"embedder: {embedder}" for line in lines]
        contextual.config.write_text("\n".join(kept))
        first = contextual.sync()
        assert (first["code"], first["chunks"]["embedded"]) == (0, first["chunks"]["total"])
        assert first["cost_usd"] == pytest.approx(server.billed_tokens * 0.05e-6, abs=1e-9)
        sent = [chunks for body in server.bodies for chunks in body["input"]]
        assert sorted(sent) == sorted(contextual.texts().values())
        server.forget()
        contextual.write("b.md", TWO.replace("two crowns", "three crowns"))
        assert contextual.sync()["chunks"]["embedded"] == 3
        assert [body["input"] for body in server.bodies] == [[contextual.texts()["b.md"]]]
        hits = contextual.run("search", str(contextual.config), "--json", "Plain text of the third page.").json["hits"]
        assert hits[0]["document"] == "docs:sub/c.txt"
        contextual.config.write_text("\n".join(kept).replace("late: true", "late: false"))
        assert contextual.run("sync", str(contextual.config)).code == 2


def test_what_was_kept_of_a_document_is_not_paid_again_and_the_rest_gets_its_vectors_among_it(
    contextual: Pipeline, voyage: VoyageServer
) -> None:
    contextual.sync()
    with closing(sqlite3.connect(contextual.folder / "state" / "cache.db")) as cache, cache:
        [(before,)] = cache.execute("SELECT count(*) FROM embedding").fetchall()
        cache.execute("DELETE FROM embedding WHERE key = (SELECT min(key) FROM embedding)")
    shutil.rmtree(contextual.folder / "db")
    voyage.forget()
    assert contextual.sync()["chunks"]["embedded"] == 1
    [body] = voyage.bodies
    assert body["inputs"][0] in contextual.texts().values()
    with closing(sqlite3.connect(contextual.folder / "state" / "cache.db")) as cache:
        assert cache.execute("SELECT count(*) FROM embedding").fetchall() == [(before,)]
    assert contextual.run("verify", str(contextual.config), "--json").json["ok"] is True


def test_a_model_for_chunks_in_context_and_late_chunking_want_each_other(
    contextual: Pipeline, voyage: VoyageServer
) -> None:
    text = contextual.config.read_text()
    contextual.config.write_text(text.replace("late: true", "late: false"))
    refused = contextual.run("sync", str(contextual.config))
    assert refused.code == 2
    assert "chunking: {late: true}" in refused.err
    contextual.config.write_text(text.replace("voyage-context-4", "voyage-4"))
    refused = contextual.run("sync", str(contextual.config))
    assert refused.code == 2
    assert "such as voyage-context-4" in refused.err
    assert voyage.requests == []
