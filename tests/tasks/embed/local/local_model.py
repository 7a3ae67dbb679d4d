"""A local model on the CPU, and what it makes of some texts."""

from collections.abc import Sequence

import numpy as np

from config.embedders import SentenceTransformersEmbedder as Config
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.records import Vectors


def local(**settings: object) -> SentenceTransformersEmbedder:
    """all-MiniLM-L6-v2, unless `model` names another."""
    return SentenceTransformersEmbedder(
        Config.model_validate({"kind": "sentence-transformers", "device": "cpu", **settings})
    )


def embed(embedder: SentenceTransformersEmbedder, texts: Sequence[str]) -> Vectors:
    """In the order of the texts."""
    found = np.zeros((len(texts), embedder.space.dimension), dtype=np.float32)
    for batch in embedder.embed(texts, embedder.tokenizer.count(texts)):
        found[list(batch.rows)] = batch.vectors
    return found
