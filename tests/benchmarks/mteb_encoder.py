"""A pipeline's embedder as MTEB sees it: with its prompts, its two sides and its dimension.

python -m tests.benchmarks.mteb_encoder CONFIG TASK [TASK …] prints the main score of each; tasks come from the hub.
"""

import sys
from pathlib import Path
from typing import Any

import mteb
import numpy as np
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta
from mteb.types import PromptType

from config.pipeline import Pipeline
from config.read import read_pipeline
from tasks.embed.open import open_embedder


class HeadraceEncoder(AbsEncoder):
    """Queries go through the query side; all other texts are embedded as documents are. Nothing is cut off."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Models are loaded with the first text."""
        self.embedder = open_embedder(pipeline.embedder, pipeline.state)
        space = self.embedder.space
        self.mteb_model_meta = ModelMeta(
            loader=None,
            name=f"headrace/{self.embedder.model.rpartition('/')[2]}",
            revision=space.fingerprint,
            release_date=None,
            languages=None,
            n_parameters=None,
            memory_usage_mb=None,
            max_tokens=space.max_tokens,
            embed_dim=space.dimension,
            license=None,
            open_weights=None,
            public_training_code=None,
            public_training_data=None,
            framework=[],
            similarity_fn_name="cosine",
            use_instructions=bool(self.embedder.query_prefix),
            training_datasets=None,
        )

    def encode(self, inputs: Any, *, prompt_type: PromptType | None = None, **_: Any) -> Any:
        """One row for each text; a text that has no vector stops the task."""
        texts = [text for batch in inputs for text in batch["text"]]
        if prompt_type is PromptType.query:
            return np.stack([self.embedder.embed_query(text) for text in texts])
        rows = np.empty((len(texts), self.embedder.space.dimension), np.float32)
        for batch in self.embedder.embed(texts, self.embedder.tokenizer.count(texts)):
            if batch.rejected:
                raise ValueError(f"{len(batch.rejected)} texts have no vector: {next(iter(batch.rejected.values()))}")
            rows[list(batch.rows)] = batch.vectors
        return rows


def scores(pipeline: Pipeline, tasks: list[Any]) -> dict[str, float]:
    """The main score of each task by its name; nothing is taken from earlier runs."""
    encoder = HeadraceEncoder(pipeline)
    results = mteb.evaluate(encoder, tasks, cache=None, show_progress_bar=False).task_results
    return {one.task_name: float(one.get_score()) for one in results}


if __name__ == "__main__":
    config, *names = sys.argv[1:]
    for name, score in scores(read_pipeline(Path(config)), list(mteb.get_tasks(tasks=names))).items():
        print(f"{name:<32}{score:.4f}", flush=True)
