"""Pictures and texts in one collection, through the command line, with a small model of the real classes."""

import os
from pathlib import Path
from typing import Any

import pytest

from tasks.upsert.qdrant_embedded.store import QdrantStore
from tests.conftest import CONFIG, Pipeline
from tests.tasks.load.pictures import flag, picture, saved


@pytest.fixture
def gallery(pipeline: Pipeline, clip_folder: Path) -> Pipeline:
    """The three texts, and three pictures: one is there twice."""
    pipeline.config.write_text(CONFIG.format(embedder=f"{{kind: clip, model: {clip_folder}, device: cpu}}"))
    put(pipeline, "red.png", picture("red", caption="Nothing but red."))
    put(pipeline, "flag.jpg", saved(flag(), "JPEG", quality=95))
    put(pipeline, "again/red.gif", picture("red"))
    return pipeline


def put(pipeline: Pipeline, name: str, content: bytes) -> None:
    path = pipeline.write(name, "")
    path.write_bytes(content)


def search(pipeline: Pipeline, *arguments: str) -> list[dict[str, Any]]:
    outcome = pipeline.run("search", str(pipeline.config), *arguments, "--json")
    assert outcome.code == 0, outcome.err
    hits: list[dict[str, Any]] = outcome.json["hits"]
    return hits


def verify(pipeline: Pipeline, *options: str) -> dict[str, Any]:
    shape: dict[str, Any] = pipeline.run("verify", str(pipeline.config), "--json", *options).json
    return shape


def test_words_find_pictures_and_a_picture_finds_texts_and_pictures(gallery: Pipeline, tmp_path: Path) -> None:
    report = gallery.sync()
    assert (report["code"], report["documents"]["added"], report["chunks"]["embedded"]) == (0, 6, 6)
    hits = search(gallery, "a photo of a cat", "--limit", "20")
    assert {hit["document"] for hit in hits} > {"docs:red.png", "docs:flag.jpg", "docs:again/red.gif", "docs:b.md"}
    red = next(hit for hit in hits if hit["document"] == "docs:red.png")
    assert red["text"] == red["metadata"]["caption"] == "Nothing but red."
    assert (red["metadata"]["width"], red["metadata"]["height"], red["metadata"]["document"]) == (60, 40, "red.png")
    looked = tmp_path / "looked for"
    looked.write_bytes(picture("red"))
    like = search(gallery, "--image", str(looked), "--limit", "20")
    assert {hit["document"] for hit in like[:2]} == {"docs:red.png", "docs:again/red.gif"}
    assert [hit["score"] for hit in like[:2]] == pytest.approx([1, 1], abs=1e-3)
    assert {hit["document"] for hit in like} == {hit["document"] for hit in hits}
    assert {hit["document"] for hit in search(gallery, "cat", "--filter", "width>=1")} == {
        *("docs:red.png", "docs:flag.jpg", "docs:again/red.gif")
    }
    shown = gallery.run("search", str(gallery.config), "--image", str(looked), "--limit", "1").out
    assert "60 x 40" in shown


def test_a_picture_is_paid_for_once_wherever_it_is_and_whatever_is_said_of_it(gallery: Pipeline) -> None:
    report = gallery.sync()
    assert (report["chunks"]["written"], report["chunks"]["embedded"]) == (7, 6)
    assert gallery.sync()["chunks"]["written"] == 0
    folder = gallery.folder / "docs"
    (folder / "flag.jpg").rename(folder / "moved.jpeg")
    put(gallery, "red.png", picture("red", caption="Another caption."))
    report = gallery.sync()
    assert (report["chunks"]["written"], report["chunks"]["removed"], report["chunks"]["embedded"]) == (2, 2, 0)
    captions = [hit["text"] for hit in search(gallery, "red", "--filter", "document=red.png")]
    assert captions == ["Another caption."]
    put(gallery, "red.png", picture("green"))
    (folder / "again/red.gif").unlink()
    report = gallery.sync()
    assert (report["chunks"]["embedded"], report["documents"]["deleted"]) == (1, 1)
    assert verify(gallery)["ok"]


def test_a_plan_of_pictures_alone_knows_how_long_they_take(gallery: Pipeline) -> None:
    for text in ("a.md", "b.md", "sub/c.txt"):
        (gallery.folder / "docs" / text).unlink()
    assert gallery.plan()["eta_seconds"] is None
    gallery.sync()
    assert gallery.plan()["eta_seconds"] == 0
    for tone in ("green", "blue"):
        put(gallery, f"{tone}.png", picture(tone))
    plan = gallery.plan()
    assert (plan["chunks"]["embedded"], plan["tokens"]["embedded"]) == (2, 0)
    assert plan["eta_seconds"] is not None


def test_a_picture_that_is_wrong_is_set_aside_and_the_others_go_on(gallery: Pipeline) -> None:
    put(gallery, "words.png", b"no picture")
    put(gallery, "cut.png", picture()[:-60])
    put(gallery, "empty.webp", b"")
    report = gallery.sync()
    assert (report["code"], report["documents"]["quarantined"], report["documents"]["empty"]) == (1, 2, 1)
    assert report["documents"]["added"] == 6


def test_what_was_damaged_is_mended_from_cache_and_source(gallery: Pipeline) -> None:
    gallery.sync()
    store = QdrantStore(str(gallery.folder / "db"), "trial")
    records = {payload["metadata"]["document"]: (point, payload) for point, payload in store.scan()}
    store.delete([records["red.png"][0]])
    store.close()
    assert verify(gallery)["missing"] == 1
    mended = verify(gallery, "--repair")
    assert (mended["ok"], mended["sync"]["chunks"]["embedded"]) == (True, 0)


def test_a_lost_ledger_and_a_damaged_cache_are_made_again(gallery: Pipeline) -> None:
    gallery.sync()
    (gallery.folder / "state/trial.db").unlink()
    report = gallery.sync("--take-over")
    assert (report["code"], report["chunks"]["embedded"]) == (0, 0)
    assert verify(gallery)["ok"]
    spoil(gallery)
    assert verify(gallery)["damaged_cache"] == 7
    mended = verify(gallery, "--repair")
    assert (mended["ok"], mended["left"]["ok"]) == (True, True)
    assert mended["settled"] == 4, "the texts; pictures are read again"


def spoil(pipeline: Pipeline) -> None:
    """One bit of each cached vector is wrong."""
    import sqlite3

    with sqlite3.connect(pipeline.folder / "state/cache.db") as cache:
        for key, vector in cache.execute("SELECT key, vector FROM embedding").fetchall():
            cache.execute("UPDATE embedding SET vector = ? WHERE key = ?", (bytes([vector[0] ^ 1]) + vector[1:], key))
    cache.close()


def test_a_model_for_texts_passes_pictures_over_or_sets_them_aside_by_name(pipeline: Pipeline) -> None:
    put(pipeline, "red.png", picture("red"))
    put(pipeline, "flag.jpg", saved(flag(), "JPEG"))
    report = pipeline.sync()
    assert (report["code"], report["documents"]["added"], report["passed_over"]) == (0, 3, {".png": 1, ".jpg": 1})
    pipeline.config.write_text(
        pipeline.config.read_text().replace("path: ./docs", "path: ./docs\n    include: ['**/*']")
    )
    report = pipeline.sync()
    assert (report["code"], report["documents"]["quarantined"]) == (1, 2)
    status = pipeline.run("status", str(pipeline.config)).out
    assert "takes no pictures" in status
    outcome = pipeline.run("search", str(pipeline.config), "--image", str(pipeline.folder / "docs/red.png"))
    assert outcome.code == 2
    assert "the model 'words' takes no pictures" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "QUERY is missing: what to look for; several words in quotes, or --image FILE"),
        (("words", "--image", "x.png"), "search looks for 'words' or for --image x.png: leave out one of them"),
        (("--image", "x.png", "words"), "search looks for 'words' or for --image x.png: leave out one of them"),
        (("--image", "absent.png"), "absent.png cannot be read: No such file or directory"),
        (("--image", __file__), "is something else, not a picture"),
    ],
)
def test_a_picture_to_look_for_that_is_none_is_told(
    gallery: Pipeline, arguments: tuple[str, ...], message: str
) -> None:
    gallery.sync()
    outcome = gallery.run("search", str(gallery.config), *arguments)
    assert (outcome.code, message in outcome.err) == (2, True), outcome.err


@pytest.mark.skipif("SMOKE_CLIP" not in os.environ, reason="`make smoke-clip` asks the hub for a model")
def test_a_model_of_the_hub_finds_colours_by_their_names(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    pipeline.config.write_text(CONFIG.format(embedder=f"{{kind: clip, model: {os.environ['SMOKE_CLIP']}}}"))
    colors = ("red", "green", "blue", "yellow", "black", "white")
    for color in colors:
        put(pipeline, f"{color}.png", picture(color, size=(300, 200)))
    assert pipeline.sync()["code"] == 0
    nearest = [search(pipeline, f"the colour {color}", "--filter", "width>=1")[0]["document"] for color in colors]
    assert nearest == [f"docs:{color}.png" for color in colors]
    assert search(pipeline, "--image", str(pipeline.folder / "docs/red.png"))[0]["score"] > 0.999
