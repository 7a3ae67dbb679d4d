"""Measures what matters, as ratios in one run: `make bench`. Nothing here is asserted; machines differ.

Paired rounds, medians: our local embedding against SentenceTransformer.encode(batch_size=32) on the same texts; a whole
first sync, a sync without changes and one with 1 % of the files edited, over 5,000 Markdown files and hashed vectors.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from config.schema import Chunking, SentenceTransformersEmbedder
from tasks.chunk.open import open_chunker
from tasks.embed.sentence_transformers import SentenceTransformersEmbedder as LocalModel
from tasks.embed.weights import find_folder
from tasks.records import Document, DocumentId, DocumentRef

ROUNDS = 3
CHUNKS = 192
FILES = 5000
CONFIG = """\
name: bench
sources: [{kind: files, path: ./docs}]
embedder: {kind: hashing, dimensions: 384}
store: {kind: qdrant, path: ./db}
"""


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    embedding()
    syncing()


def embedding() -> None:
    from sentence_transformers import SentenceTransformer

    embedder = LocalModel(SentenceTransformersEmbedder(kind="sentence-transformers", device="cpu"))
    chunker = open_chunker(Chunking(), embedder.tokenizer)
    documents = [
        Document(DocumentRef(DocumentId(str(path)), "s", str(path)), path.read_text(), "code")
        for path in sorted(Path(np.__file__).parent.rglob("*.py"))[:60]
    ]
    started = time.perf_counter()
    chunks = [chunk for found in chunker.split(documents) for chunk in found]
    seconds = time.perf_counter() - started
    size = sum(len(document.text) for document in documents) / 1e6
    say("chunking with the model's tokenizer", f"{size / seconds:.1f} MB/s, {len(chunks)} chunks")
    texts = [chunk.text for chunk in random.Random(1).sample(chunks, CHUNKS)]
    tokens = embedder.tokenizer.count(texts)
    naive = SentenceTransformer(str(find_folder("all-MiniLM-L6-v2", None)), device="cpu", local_files_only=True)
    theirs: list[np.ndarray] = []
    ours: dict[int, np.ndarray] = {}

    def run_naive() -> None:
        theirs[:] = [np.asarray(naive.encode(texts, batch_size=32, normalize_embeddings=True))]

    def run_ours() -> None:
        for batch in embedder.embed(texts, tokens):
            ours.update(zip(batch.rows, batch.vectors, strict=True))

    ratios = [timed(run_naive) / timed(run_ours) for _ in range(ROUNDS + 1)][1:]
    cosine = min(float(theirs[0][row] @ ours[row]) for row in range(CHUNKS))
    say("embedding, against encode(batch_size=32)", f"{statistics.median(ratios):.2f} x, least cosine {cosine:.6f}")


def syncing() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "docs")
        (folder / "bench.yaml").write_text(CONFIG)

        def sync() -> None:
            command = [sys.executable, "-m", "flows.cli", "sync", str(folder / "bench.yaml"), "--json"]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PREFECT_API_URL": ""})

        first = timed(sync)
        say(f"first sync of {FILES} files", f"{first:.1f} s, {FILES / first:.0f} files/s")
        time.sleep(2)
        sync()
        say("sync without changes", f"{statistics.median(timed(sync) for _ in range(ROUNDS)):.2f} s")
        for number in range(0, FILES, 100):
            path = folder / f"docs/{number % 50}/{number}.md"
            path.write_text(path.read_text() + "\nOne more line.\n")
        say("sync with 1 % edited", f"{timed(sync):.2f} s")


def write_files(folder: Path) -> None:
    """Pages of some 2 kB with headings; a fixed seed."""
    dice = random.Random(7)
    words = [f"{a}{b}" for a in ("ba", "ce", "di", "fo", "gu", "ha") for b in ("la", "me", "ni", "ro", "su", "ty")]
    for number in range(FILES):
        path = folder / f"{number % 50}/{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        sections = [" ".join(dice.choices(words, k=90)) for _ in range(4)]
        path.write_text(f"# Page {number}\n\n" + "\n\n".join(f"## Part {i}\n\n{s}." for i, s in enumerate(sections)))


def timed(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def say(what: str, result: str) -> None:
    sys.stdout.write(f"{what:42} {result}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
