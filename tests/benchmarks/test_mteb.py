"""MTEB measures our embedder as we do, on a task of our own: by `make mteb`, for its import alone takes seconds."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.skipif("MTEB" not in os.environ, reason="`make mteb` runs it")

DOCUMENTS = {
    "pump": "Grease the bearing of the pump every 400 hours.",
    "menu": "Soup, bread and a salad with walnuts.",
    "walk": "The path leads along the river to the mill.",
    "storm": "Shut the gate before a storm.",
}
QUERIES = {"1": ("when is the pump greased", "pump"), "2": ("a gate and a storm", "storm"), "3": ("river path", "menu")}


def local_task() -> Any:
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class Local(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="HeadraceLocal",
            dataset={"path": "local/none", "revision": "1"},
            description="four texts",
            type="Retrieval",
            category="t2t",
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="ndcg_at_10",
        )

        def load_data(self, *_: Any, **__: Any) -> None:
            self.dataset = {
                "default": {
                    "test": {
                        "corpus": Dataset.from_list([{"id": n, "title": "", "text": t} for n, t in DOCUMENTS.items()]),
                        "queries": Dataset.from_list([{"id": n, "text": text} for n, (text, _) in QUERIES.items()]),
                        "relevant_docs": {n: {document: 1} for n, (_, document) in QUERIES.items()},
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    return Local()


@pytest.mark.parametrize("dimensions", [16, 256])
def test_mteb_measures_what_exact_search_finds(dimensions: int, tmp_path: Path) -> None:
    from config.pipeline import Pipeline
    from tests.benchmarks.mteb_encoder import HeadraceEncoder, scores

    settings = {
        "name": "trial",
        "sources": [{"kind": "files", "path": str(tmp_path)}],
        "embedder": {"kind": "hashing", "dimensions": dimensions},
        "store": {"kind": "memory"},
        "state": "sqlite://",
    }
    pipeline = Pipeline.model_validate(settings)
    encoder = HeadraceEncoder(pipeline)
    rows = encoder.encode([{"text": list(DOCUMENTS.values())}])
    assert (rows.shape[1], encoder.mteb_model_meta.embed_dim) == (dimensions, dimensions)
    gains = []
    for text, right in QUERIES.values():
        order = np.argsort(-(rows @ encoder.embedder.embed_query(text)), kind="stable")
        gains.append(1 / np.log2(2 + [list(DOCUMENTS)[at] for at in order].index(right)))
    assert scores(pipeline, [local_task()])["HeadraceLocal"] == pytest.approx(np.mean(gains), abs=1e-4)
