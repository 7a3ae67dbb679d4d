"""Whether a model that is trained on a collection answers it better: `make finetune-bench DATA=FOLDER`.

DATA is a folder of collections as `make quality` takes them: files/, queries.jsonl and qrels.tsv in each. In each of
them 40 % of the judged queries, and all documents that answer them, are kept for the test. Four ways of training are
tried; which is the best, the validation's queries alone say, and only that model takes the test, once.
"""

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from config.read import read_pipeline
from flows.beside import whole_sync
from flows.cli import main as headrace
from tasks.evaluate.golden import golden_pairs, read_documents
from tasks.finetune.improve import Improvement, fit
from tasks.finetune.material import Request
from tasks.finetune.train import Settings
from tasks.finetune.trial import compare
from tasks.load.open import open_source

CONFIG = """\
name: {name}
sources: [{{kind: files, path: {files}}}]
embedder: {{kind: sentence-transformers, model: {model}}}
store: {{kind: qdrant, path: ./{name}-db}}
state: sqlite:///{name}.db
cache: sqlite:///cache.db
"""
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
MOST_MIXED = 1_000  # pairs of the other collections


def main() -> int:
    """Prints a row for each collection and mode, and one for each way of training before it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--steps", type=int, default=24, help="of 16 examples each; 0: two epochs")
    parser.add_argument("--tokens", type=int, default=96, help="read of each text while training; 0: all")
    parser.add_argument("--rate", type=float, default=5e-5, help="of learning")
    parser.add_argument("--only", nargs="*", default=["cranfield", "cisi", "fastapi"], help="names of collections")
    parser.add_argument("--trained", nargs="*", help="those of them that are trained on; the others are mixed in")
    chosen = parser.parse_args()
    collections = [folder for folder in sorted(chosen.data.rglob("*")) if is_collection(folder, chosen.only)]
    if not collections:
        sys.stderr.write(f"{chosen.data} holds none of {', '.join(chosen.only)}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="headrace-finetune-bench-") as place:
        for folder in collections:
            if chosen.trained and folder.name not in chosen.trained:
                continue
            for row in trained(folder, collections, Path(place), chosen):
                print(row, flush=True)
    return 0


def is_collection(folder: Path, names: list[str]) -> bool:
    return folder.name in names and ((folder / "queries.jsonl").exists() or (folder / "cran.qry").exists())


def trained(folder: Path, collections: list[Path], place: Path, chosen: argparse.Namespace) -> Iterator[str]:
    """The validation of each way of training, then the test of the best of them."""
    source = unpacked(folder, place)
    config = place / f"{folder.name}.yaml"
    config.write_text(CONFIG.format(name=folder.name, files=source / "files", model=chosen.model))
    out = io.StringIO()
    with redirect_stdout(out):
        if headrace(["sync", str(config), "--direct", "--json"]):
            raise SystemExit(out.getvalue())
    others = [unpacked(other, place) for other in collections if other != folder]
    settings = Settings(batch=16, learning_rate=chosen.rate, most_steps=chosen.steps, most_tokens=chosen.tokens)
    best: Improvement | None = None
    for number, (name, request) in enumerate(ways(source, others, place, settings).items()):
        made = fit(read_pipeline(config), replace(request, name=f"{folder.name}-{number}"), say)
        course = made.course
        figures = f"validation {course.before:.4f} before, {course.best:.4f} after {course.best_step} steps"
        yield f"{folder.name}, {name}: {figures}"
        if best is None or course.best > best.course.best:
            best = made
    assert best is not None
    yield from tested(best, config)


def ways(source: Path, others: list[Path], place: Path, settings: Settings) -> dict[str, Request]:
    """What is learnt from."""
    mix = place / f"{source.name}-mix.jsonl"
    share = MOST_MIXED // max(1, len(others))
    mix.write_text("".join(line for other in others for line in list(mined(other))[:share]))
    spans = source / "spans.tsv"
    plain = Request(
        queries=source / "queries.jsonl",
        qrels=source / "qrels.tsv",
        spans=spans if spans.exists() else None,
        test=0.4,
    )
    one, none = settings._replace(negatives=1), settings._replace(negatives=0)
    return {
        "judgments": replace(plain, settings=none),
        "judgments, hard negatives": replace(plain, settings=one),
        "judgments, structure, hard negatives": replace(plain, settings=one, mined=True),
        "judgments, structure, hard negatives, other collections": replace(plain, settings=one, mined=True, mix=[mix]),
    }


def mined(collection: Path) -> Iterator[str]:
    """What another collection asks of itself, as `--mix` takes it."""
    from config.sources import FilesSource

    section = FilesSource.model_validate({"kind": "files", "path": str(collection / "files")})
    documents = {one.ref.id: one for one in read_documents([open_source(section)])}
    for pair in golden_pairs(documents.values(), titles=True):
        passage = pair.passage(documents[pair.document])[:1_000]
        if passage:
            yield json.dumps({"query": pair.query, "passage": passage}) + "\n"


def tested(best: Improvement, config: Path) -> Iterator[str]:
    pipeline = read_pipeline(config)
    made: dict[str, Any] = best._replace(
        comparisons=compare(pipeline, best.material, str(best.folder), whole_sync(quiet=True))
    ).as_json()
    for mode, trial in made["modes"].items():
        low, high = trial["confidence"]["ndcg@10"]
        yield (
            f"| {pipeline.name} | {mode} | {trial['queries']} | {trial['before']['ndcg@10']:.3f} |"
            f" {trial['after']['ndcg@10']:.3f} | {trial['difference']['ndcg@10']:+.3f} [{low:+.3f}, {high:+.3f}] |"
        )


def unpacked(folder: Path, place: Path) -> Path:
    """The collection as it is, or Cranfield as it is handed round, in BEIR's layout."""
    if (folder / "queries.jsonl").exists():
        return folder.absolute()
    target = place / folder.name
    if not target.exists():
        from tests.benchmarks.quality import write_cranfield

        target.mkdir()
        write_cranfield(folder, target)
    return target


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
