"""Texts that show whether a faster runtime, or a coarser precision, still makes the vectors of the model."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from tasks.embed.local.runtime.base import Features, Runtime, padded, unit_rows
from tasks.embed.local.runtime.model_cache import ModelCache
from tasks.embed.tokens.tokenizers import ModelTokenizer
from tasks.records import Vectors
from tasks.slices import slices

REFERENCE = "reference"
TESTED_TEXTS = 32
LONG_TOKENS = 1024  # beyond the window of the models that look at neighbours only in some layers
LENGTHS = (1, 2, 4)  # so many texts are joined for calibration, up to what the model reads at once
TEXTS_PER_BATCH = 8


@cache
def self_test_texts() -> tuple[str, ...]:
    """Prose, questions, code, tables, logs, numbers, several languages; one word to two hundred."""
    text = files("tasks.embed.local").joinpath("probes.txt").read_text(encoding="utf-8")
    return tuple(text.rstrip("\n").split("\n---\n"))


def self_test_features(tokenizer: ModelTokenizer, padding: int) -> list[Features]:
    """The texts of the self-test, in batches of mixed length; a long one, where attention may look only so far."""
    texts = list(self_test_texts()[:TESTED_TEXTS])
    features = _batches(tokenizer, padding, texts)
    if tokenizer.max_tokens > LONG_TOKENS // 2:
        long = tokenizer.loaded.encode(" ".join(texts))
        long.truncate(min(LONG_TOKENS, tokenizer.max_tokens))
        features.append(padded([long], padding))
    return features


def calibration_features(tokenizer: ModelTokenizer, padding: int) -> list[Features]:
    """The same texts for everybody, so that everybody's coarser weights are the same."""
    texts = self_test_texts()
    joined = [" ".join(texts[start : start + count]) for count in LENGTHS for start in range(len(texts))]
    return _batches(tokenizer, padding, joined)


def reference(cache: ModelCache, folder: Path, features: list[Features]) -> Vectors:
    """The self-test's vectors as torch makes them on a CPU in float32, shape (texts, dimension); made once."""

    def make(scratch: Path) -> None:
        from tasks.embed.local.runtime.torch_runtime import TorchRuntime

        runtime = TorchRuntime(folder, "cpu", "float32")
        np.save(scratch / "vectors.npy", vectors_of(runtime, features))
        runtime.close()

    vectors: Vectors = np.load(cache.get(REFERENCE, make) / "vectors.npy", allow_pickle=False)
    return vectors


def vectors_of(runtime: Runtime, features: list[Features]) -> Vectors:
    """Vectors of unit length, or zero; shape (texts, the model's own dimension)."""
    batches = [runtime.forward(batch) for batch in features]
    return np.concatenate([unit_rows(vectors, vectors.shape[1]) for vectors in batches])


def _batches(tokenizer: ModelTokenizer, padding: int, texts: list[str]) -> list[Features]:
    encodings = tokenizer.loaded.encode_batch_fast(texts)
    for encoding in encodings:
        encoding.truncate(tokenizer.max_tokens)
    return [padded(part, padding) for part in slices(encodings, TEXTS_PER_BATCH)]
