"""Our local embedding against SentenceTransformer.encode(batch_size=32) on the same model and texts."""

import random
from collections.abc import Iterator

import numpy as np

from config.schema import Chunking, SentenceTransformersEmbedder
from tasks.chunk.open import open_chunker
from tasks.embed.sentence_transformers import SentenceTransformersEmbedder as LocalModel
from tasks.embed.weights import find_folder
from tasks.records import Document, DocumentId, DocumentRef
from tests.benchmarks.corpus import pages
from tests.benchmarks.harness import Gate, Measurement, paired, ratio, spread

TEXTS = 192


def measure() -> Iterator[Measurement]:
    from sentence_transformers import SentenceTransformer

    embedder = LocalModel(SentenceTransformersEmbedder(kind="sentence-transformers", device="cpu"))
    texts = sample(embedder, TEXTS)
    tokens = embedder.tokenizer.count(texts)
    naive = SentenceTransformer(str(find_folder("all-MiniLM-L6-v2", None)), device="cpu", local_files_only=True)
    theirs: list[np.ndarray] = []
    ours: dict[int, np.ndarray] = {}

    def run_naive() -> None:
        theirs[:] = [np.asarray(naive.encode(texts, batch_size=32, normalize_embeddings=True))]

    def run_ours() -> None:
        for batch in embedder.embed(texts, tokens):
            ours.update(zip(batch.rows, batch.vectors, strict=True))

    slow, fast = paired([run_naive, run_ours])
    cosine = min(float(theirs[0][row] @ ours[row]) for row in range(TEXTS))
    detail = f"least cosine {cosine:.6f}; {spread([a / b for a, b in zip(slow, fast, strict=True)])}"
    yield Measurement("embedding, against encode(batch_size=32)", ratio(slow, fast), "x", Gate(2.5, 3.5), detail)


def sample(embedder: LocalModel, count: int) -> list[str]:
    """Chunks of real pages, as the chunker cuts them."""
    chunker = open_chunker(Chunking(), embedder.tokenizer)
    some = random.Random(1).sample(pages(), 200)
    documents = [
        Document(DocumentRef(DocumentId(f"s:{number}"), "s", f"{number}.md"), text, "markdown")
        for number, text in enumerate(some)
    ]
    chunks = [chunk.text for found in chunker.split(documents) for chunk in found]
    return random.Random(1).sample(chunks, count)
