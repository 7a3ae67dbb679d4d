"""The systems that are compared, each as a command that makes a store equal to a folder."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.setup import HERE, python

HEADRACE = "headrace"
CONFIG = """\
name: bench
sources: [{{kind: files, path: {folder}}}]
embedder: {embedder}
store: {{kind: qdrant, path: ./store}}
"""
EMBEDDERS = {
    "hashing": "{kind: hashing, dimensions: 384}",
    "minilm": "{kind: sentence-transformers, model: sentence-transformers/all-MiniLM-L6-v2, device: cpu}",
}


@dataclass(frozen=True, slots=True)
class System:
    """`words` come before `sync FOLDER STATE`; `peer` is the environment it runs in, "" for our own."""

    name: str
    title: str
    peer: str = ""
    words: tuple[str, ...] = ()

    def command(self, folder: Path, state: Path, embedder: str) -> list[str]:
        if self.peer:
            script, *rest = self.words
            start = [str(python(self.peer)), str(HERE / "adapters" / script), *rest]
            return [*start, "sync", str(folder), str(state), "--embedder", embedder]
        config = state / "bench.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG.format(folder=folder, embedder=EMBEDDERS[embedder]))
        return [sys.executable, "-m", "flows.cli", "sync", str(config), "--json"]

    def counted(self, output: str, state: Path) -> Mapping[str, Any]:
        """How many texts were embedded, and how many chunks the store holds now; empty where it failed."""
        try:
            if self.peer:
                return json.loads(output.strip().splitlines()[-1])
            return {"embedded": json.loads(output)["chunks"]["embedded"], "chunks": _points(state / "store")}
        except (ValueError, IndexError, KeyError):
            return {}


SYSTEMS = (
    System(HEADRACE, "Headrace, Qdrant embedded"),
    System("langchain-chroma", "LangChain, Chroma", "langchain", ("sync_langchain.py", "chroma")),
    System("langchain-qdrant", "LangChain, Qdrant local", "langchain", ("sync_langchain.py", "qdrant")),
    System("llamaindex-qdrant", "LlamaIndex, Qdrant local", "llamaindex", ("sync_llamaindex.py",)),
    System("cocoindex-lancedb", "CocoIndex, LanceDB", "cocoindex", ("sync_cocoindex.py",)),
)


def _points(store: Path) -> int:
    """Of the store itself, not of the ledger."""
    from tasks.upsert.qdrant_embedded.store import QdrantStore

    opened = QdrantStore(str(store), "bench")
    try:
        return opened.count()
    finally:
        opened.close()
