"""What a model asks of queries alone may change, and nothing that is stored is touched by it."""

import json
import shutil
from pathlib import Path

import pytest

from tasks.embed import models
from tasks.embed.local.weights import find_folder
from tests.conftest import CONFIG, Pipeline

pytestmark = pytest.mark.model

NAME = "sentence-transformers/all-MiniLM-L6-v2"


def score(pipeline: Pipeline, query: str) -> float:
    hits = pipeline.run("search", str(pipeline.config), query, "--mode", "dense", "--json").json["hits"]
    return next(hit["score"] for hit in hits if "Second page." in hit["text"])


def prefix_queries(patch: pytest.MonkeyPatch, prefix: str) -> None:
    """Write another query_prefix into the model's row of the registry."""
    known = dict(models._local_models().models)
    known[NAME] = known[NAME].model_copy(update={"query_prefix": prefix})
    patch.setattr(models, "_local_models", lambda: models._LocalModels(models=known))


def test_another_query_prefix_in_the_registry_pays_nothing_and_is_used(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.config.write_text(CONFIG.format(embedder=f"{{kind: sentence-transformers, model: {NAME}, device: cpu}}"))
    assert pipeline.sync()["code"] == 0
    plain, prefixed = score(pipeline, "Second page."), score(pipeline, "search this: Second page.")
    assert plain != prefixed
    prefix_queries(monkeypatch, "search this: ")
    report = pipeline.sync()
    assert (report["code"], report["outcome"], report["tokens"]["embedded"]) == (0, "done", 0)
    assert report["chunks"]["written"] == 0
    assert pipeline.run("verify", str(pipeline.config)).code == 0
    assert score(pipeline, "Second page.") == prefixed


def prompt(folder: Path, query: str) -> None:
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": query}}))


def test_another_query_prompt_in_a_models_own_folder_pays_nothing_and_is_used(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(find_folder(NAME, None), folder)
    prompt(folder, "")
    pipeline.config.write_text(CONFIG.format(embedder=f"{{kind: sentence-transformers, model: {folder}, device: cpu}}"))
    assert pipeline.sync()["code"] == 0
    plain, prefixed = score(pipeline, "Second page."), score(pipeline, "search this: Second page.")
    for query, expected in (("search this: ", prefixed), ("", plain), ("search this: ", prefixed)):
        prompt(folder, query)
        plan, report = pipeline.plan(), pipeline.sync()
        assert (plan["tokens"]["embedded"], report["code"], report["tokens"]["embedded"]) == (0, 0, 0)
        assert report["chunks"]["written"] == 0
        assert pipeline.run("verify", str(pipeline.config)).code == 0
        assert score(pipeline, "Second page.") == expected
