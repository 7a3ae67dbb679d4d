"""Our local embedding against SentenceTransformer.encode(batch_size=32) on the same model and texts."""

import random
import time
from collections.abc import Iterator
from functools import cache

import numpy as np

from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.local.batch_size import CPU_TOKENS
from tasks.embed.local.lanes import by_padded_tokens
from tasks.embed.local.runtime.openvino_runtime import cpu_has_bfloat16, cpu_has_int8, import_openvino
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder as LocalModel
from tasks.embed.local.weights import find_folder
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Vectors
from tests.benchmarks.corpus import pages
from tests.benchmarks.harness import Gate, Measurement, paired, ratio, spread
from tests.tasks.embed.local.local_model import local

TEXTS = 192
WINDOW = 1024
PEAK_SIZE = 2048
MATRIX_WEIGHTS, ATTENTION = 10_617_000, 9216  # multiplications a token, and a token and token of its text: MiniLM


def measure() -> Iterator[Measurement]:
    """One row for each precision that this processor has."""
    from sentence_transformers import SentenceTransformer

    yield padding()
    texts = [chunk.text for chunk in chunks(TEXTS)]
    naive = SentenceTransformer(str(find_folder("all-MiniLM-L6-v2", None)), device="cpu", local_files_only=True)
    theirs: list[Vectors] = []

    def run_naive() -> None:
        theirs[:] = [np.asarray(naive.encode(texts, batch_size=32, normalize_embeddings=True))]

    gates = {"bfloat16": Gate(4, 5.5), "float32": Gate(2.5, 3.5), "int8": Gate(6, 8)}
    has = {"bfloat16": cpu_has_bfloat16(), "float32": True, "int8": cpu_has_int8()}
    for precision in (one for one in gates if has[one]):
        ours = Run(local(precision=precision), texts)
        slow, fast = paired([run_naive, ours])
        detail = f"least cosine {least_cosine(theirs[0], ours.vectors):.6f}; {rounds(slow, fast)}"
        yield Measurement(
            f"embedding, {precision}, against encode(32)", ratio(slow, fast), "x", gates[precision], detail
        )
        if precision == "int8":
            continue
        share = work(ours.tokens) / min(fast) / peak(precision)
        what = f"of the processor's peak, {precision}, useful work only"
        yield Measurement(what, share, "", Gate(0.55, 0.7), f"{len(texts) / min(fast):.0f} chunks a second")


class Run:
    """Embeds the texts once a call, as a run does."""

    def __init__(self, embedder: LocalModel, texts: list[str]) -> None:
        self._embedder = embedder
        self._texts = texts
        self.tokens = embedder.tokenizer.count(texts)
        self.vectors = np.zeros((len(texts), embedder.space.dimension), np.float32)

    def __call__(self) -> None:
        for batch in self._embedder.embed(self._texts, self.tokens):
            self.vectors[list(batch.rows)] = batch.vectors


@cache
def all_chunks() -> tuple[Chunk, ...]:
    """Of 700 real pages, as the chunker cuts them."""
    chunker = open_chunker(Chunking(), local().tokenizer)
    documents = [
        Document(DocumentRef(DocumentId(f"s:{number}"), "s", f"{number}.md"), text, "markdown")
        for number, text in enumerate(random.Random(1).sample(pages(), 700))
    ]
    return tuple(chunk for found in chunker.split(documents) for chunk in found)


def chunks(count: int) -> list[Chunk]:
    """As many of different text, drawn by a fixed seed."""
    different = {chunk.text: chunk for chunk in all_chunks()}
    return random.Random(1).sample(list(different.values()), count)


def padding() -> Measurement:
    """Of one window, counted, not timed."""
    tokens = [chunk.tokens for chunk in all_chunks()]
    padded = 0
    for start in range(0, len(tokens), WINDOW):
        window = tokens[start : start + WINDOW]
        padded += sum(len(rows) * window[rows[0]] for rows in by_padded_tokens(window, lambda: CPU_TOKENS))
    detail = f"{len(tokens)} chunks of {sum(tokens) / len(tokens):.0f} tokens, windows of {WINDOW}"
    return Measurement("padded to real tokens", padded / sum(tokens), "", Gate(1.03, 1.01, True), detail)


def work(tokens: list[int]) -> float:
    """Floating point operations that the texts need, without padding."""
    return float(sum(2 * MATRIX_WEIGHTS * count + ATTENTION * count * count for count in tokens))


def peak(precision: str) -> float:
    """Operations a second of the best product of two matrices: what no model can pass. The best of five."""
    openvino = import_openvino()
    from openvino import opset13 as layers

    size = PEAK_SIZE
    rows = layers.parameter([size, size], np.float32)
    weights = layers.constant(np.random.default_rng(0).standard_normal((size, size)).astype(np.float32))
    product = layers.reduce_max(layers.matmul(rows, weights, False, False), layers.constant(np.array([1])), False)
    hint = {"INFERENCE_PRECISION_HINT": {"bfloat16": "bf16", "float32": "f32"}[precision]}
    request = openvino.Core().compile_model(openvino.Model([product], [rows]), "CPU", hint).create_infer_request()
    given = np.random.default_rng(1).standard_normal((size, size)).astype(np.float32)
    seconds: list[float] = []
    for _ in range(12):
        started = time.perf_counter()
        request.infer([given])
        seconds.append(time.perf_counter() - started)
    return float(2 * size**3 / min(seconds))


def least_cosine(one: Vectors, other: Vectors) -> float:
    return float(np.einsum("ij,ij->i", one, other).min())


def rounds(slow: list[float], fast: list[float]) -> str:
    return spread([a / b for a, b in zip(slow, fast, strict=True)])
