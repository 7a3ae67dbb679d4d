"""Collections as an earlier version left them: `python -m tests.earlier` makes them anew with the code at hand.

Those in tests/data/earlier were made by the last version whose fingerprints held the query side; they are read by
tests/flows/test_earlier.py and must never be made again, or they show nothing.
"""

import os
import tarfile
import tempfile
from pathlib import Path

from flows.cli import main
from tests.openai_server import OpenAIServer

KEPT = Path(__file__).parent / "data" / "earlier"
EMBEDDERS = {
    "hashing": "{kind: hashing, dimensions: 64}",
    "local": "{kind: sentence-transformers, model: all-MiniLM-L6-v2, device: cpu}",
    "openai": "{kind: openai, model: text-embedding-3-small, dimensions: 8, base_url: '$URL',"
    " api_key: '${OPENAI_KEY}'}",
}
CONFIG = """\
name: trial
sources: [{kind: files, path: ./docs}]
embedder: $EMBEDDER
store: {kind: qdrant, path: ./db}
state: sqlite:///state/trial.db
cache: sqlite:///state/cache.db
"""


def configured(folder: Path, embedder: str, url: str) -> Path:
    """The configuration of a collection in `folder`, written there."""
    config = folder / "trial.yaml"
    config.write_text(CONFIG.replace("$EMBEDDER", EMBEDDERS[embedder]).replace("$URL", url))
    return config


def unpacked(embedder: str, folder: Path) -> None:
    """Put a copy of a kept collection, its ledger, cache and budget into `folder`."""
    with tarfile.open(KEPT / f"{embedder}.tar.xz") as archive:
        archive.extractall(folder, filter="data")


def _make(embedder: str, url: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "docs").mkdir()
        (folder / "docs" / "a.md").write_text("# Alpha\n\nFirst page.\n\n## Install\n\nRun the thing.\n")
        (folder / "docs" / "b.md").write_text("# Beta\n\nSecond page.\n")
        os.environ["XDG_STATE_HOME"] = str(folder / "user-state")
        code = main(("sync", str(configured(folder, embedder, url)), "--json"))
        if code:
            raise SystemExit(f"{embedder}: the sync ended with {code}, expected 0")
        with tarfile.open(KEPT / f"{embedder}.tar.xz", "w:xz") as archive:
            for part in ("docs", "db", "state", "user-state"):
                if (folder / part).exists():
                    archive.add(folder / part, part)


if __name__ == "__main__":
    KEPT.mkdir(parents=True, exist_ok=True)
    with OpenAIServer() as server:
        os.environ["OPENAI_KEY"] = server.key
        for embedder in EMBEDDERS:
            _make(embedder, server.url)
