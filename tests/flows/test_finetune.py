"""A model is fitted to a corpus, tried on what it has not seen, and used."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from config import embedders
from flows.cli import main
from tasks.embed.open import open_embedder
from tasks.errors import ConfigError
from tests.conftest import CONFIG as FIRST
from tests.conftest import Pipeline
from tests.toy_model import save_toy_model, write_corpus

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = 110
CONFIG = """\
name: toy
sources: [{{kind: files, path: ./docs}}]
embedder: {{kind: sentence-transformers, model: {model}, runtime: torch, device: cpu}}
store: {{kind: qdrant, path: ./db}}
search: {{mode: dense}}
state: sqlite:///state.db
cache: sqlite:///cache.db
quality: {{queries: queries.jsonl, qrels: qrels.tsv}}
"""
OPTIONS = ["--epochs", "6", "--batch", "16", "--learning-rate", "0.02"]
# Ends as a power cut would, once the first checkpoint is there.
KILLED = """
import os, signal, sys
from transformers.trainer_callback import CallbackHandler
CallbackHandler.on_save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from flows.cli import main
main(sys.argv[1:])
"""


def sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


class Toy:
    """A pipeline with judged queries, synced with an untrained model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queries, self.qrels = write_corpus(folder, DOCUMENTS)
        self.config = folder / "toy.yaml"
        self.config.write_text(CONFIG.format(model=save_toy_model(folder)))
        self.models = folder / ".headrace" / "models"

    def run(self, *words: str) -> tuple[int, Any]:
        out = io.StringIO()
        with redirect_stdout(out):
            code = main([words[0], str(self.config), *words[1:], "--json"])
        return code, json.loads(out.getvalue())

    @property
    def judged(self) -> list[str]:
        return ["--queries", str(self.queries), "--qrels", str(self.qrels)]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    """Tests leave the generation live that is live here."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so little work is not worth dividing
    made = Toy(tmp_path_factory.mktemp("toy"))
    assert made.run("sync")[0] == 0
    yield made
    torch.set_num_threads(threads)


@pytest.mark.model
def test_a_model_is_better_on_what_it_has_not_seen_and_goes_live(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    code, made = toy.run("finetune", *toy.judged, *OPTIONS, "--name", "better")
    assert code == 0
    folder, pairs = toy.models / "better", made["pairs"]
    assert (made["model"], made["synthetic"], made["queries"]) == (str(folder), False, pairs["test_queries"])
    gain = made["after"]["ndcg@10"] - made["before"]["ndcg@10"]
    assert gain == pytest.approx(made["difference"]["ndcg@10"], abs=1e-3)
    assert made["confidence"]["ndcg@10"][0] > 0.1
    assert made["sentence"].startswith("better by")
    assert pairs["train"] + pairs["validation"] + pairs["test"] + pairs["dropped"] == pairs["judgments"] == DOCUMENTS
    names = {path.name for path in toy.models.iterdir()}
    assert "better" in names
    assert not [name for name in names if name.startswith("better-")]
    assert {path.suffix for path in folder.rglob("*.*")} == {".safetensors", ".md", ".json"}
    card = (folder / "README.md").read_text()
    assert "| dense | ndcg@10 |" in card
    assert not any(word in card for word in ("sluice", "kettle"))
    code, again = toy.run("finetune", *toy.judged, *OPTIONS, "--name", "better")
    assert (code, again) == (0, made)
    code, answer = toy.run("finetune", *toy.judged, *OPTIONS, "--name", "better", "--seed", "7")
    assert (code, "was made of other pairs or settings" in answer["error"]) == (2, True)

    before = toy.config.read_text()
    toy.config.write_text(CONFIG.format(model="./.headrace/models/better"))
    monkeypatch.chdir("/")
    code, report = toy.run("rebuild")
    assert (code, report["switched"], report["quality"]["difference"]["ndcg@10"][1] > 0) == (0, True, True)
    toy.config.write_text(before)
    assert toy.run("rollback")[0] == 0


@pytest.mark.model
def test_a_training_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(toy: Toy) -> None:
    """The other process, with the same seed, makes the same weights, too."""
    words = [str(toy.config), *toy.judged, *OPTIONS, "--name", "killed", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, "finetune", *words]
    killed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False, env=environment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    (work,) = toy.models.glob("killed-*.training")
    (checkpoint,) = (work / "checkpoints").glob("checkpoint-*")
    half = work / "checkpoints" / "checkpoint-99999"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    made = toy.run("finetune", *toy.judged, *OPTIONS, "--name", "killed")[1]
    whole = toy.run("finetune", *toy.judged, *OPTIONS, "--name", "whole")[1]
    assert made["training"] == whole["training"]
    assert made["training"]["steps"] > int(checkpoint.name.partition("-")[2])
    assert sha256(toy.models / "killed") == sha256(toy.models / "whole")


@pytest.mark.model
def test_vectors_can_be_shortened_to_the_lengths_that_were_trained(toy: Toy) -> None:
    options = ["--epochs", "1", "--matryoshka", "8,16", "--batch", "128", "--name", "short"]
    code, made = toy.run("finetune", *toy.judged, *options)
    assert (code, made["settings"]["sizes"]) == (0, [16, 8])
    short = {"kind": "sentence-transformers", "model": str(toy.models / "short"), "dimensions": 16}
    embedder = TypeAdapter[Any](embedders.Embedder).validate_python(short)
    assert open_embedder(embedder).space.dimension == 16
    with pytest.raises(ConfigError, match="trained for 8, 16, 32 only"):
        _ = open_embedder(embedder.model_copy(update={"dimensions": 12})).space
    code, answer = toy.run("finetune", *toy.judged, "--matryoshka", "32")
    assert (code, "makes 32 numbers; expected fewer" in answer["error"]) == (2, True)


@pytest.mark.model
def test_pairs_of_files_are_learnt_from_and_tried_on_passages(toy: Toy) -> None:
    """Those of other corpora, under the names that others give the two, are for training alone."""
    queries = [json.loads(line) for line in toy.queries.read_text().splitlines()]
    passages = [(toy.folder / "docs" / f"{query['_id'][1:]}.txt").read_text() for query in queries]
    pairs, mix = toy.folder / "own.jsonl", toy.folder / "mix.jsonl"
    rows = [{"query": query["text"], "passage": text} for query, text in zip(queries, passages, strict=True)]
    pairs.write_text("\n".join(map(json.dumps, rows)))
    mix.write_text("\n".join(json.dumps({"question": f"who is {n}", "answer": f"number {n}"}) for n in range(20)))
    options = ["--epochs", "1", "--batch", "64", "--name", "pairs"]
    code, made = toy.run("finetune", "--pairs", str(pairs), "--mix", str(mix), *options)
    counts = made["pairs"]
    assert (code, counts["pairs"], counts["mix"], made["synthetic"]) == (0, DOCUMENTS, 20, False)
    assert (counts["test"], made["queries"]) == (counts["test_queries"], counts["test_queries"])
    assert counts["train"] + counts["validation"] + counts["test"] + counts["dropped"] == DOCUMENTS + 20
    assert toy.run("sync")[1]["chunks"]["written"] == 0


@pytest.mark.model
def test_what_headings_say_of_their_sections_is_learnt_from_where_nobody_has_judged(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    for query in map(json.loads, toy.queries.read_text().splitlines()):
        page = tmp_path / "docs" / f"{query['_id'][1:]}.txt"
        page.with_suffix(".md").write_text(f"# Notes\n\n## {query['text']}\n\n{page.read_text() * 4}")
        page.unlink()
    assert toy.run("sync")[0] == 0
    code, made = toy.run("finetune", "--mined", *OPTIONS, "--name", "mined")
    assert (code, made["synthetic"], made["pairs"]["mined"] > 100) == (0, True, True)
    assert made["confidence"]["ndcg@10"][0] > 0.1


@pytest.mark.model
def test_a_full_disk_is_told_before_and_while_it_fills(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.models.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(toy.models)]
    try:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system needs root")
    except FileNotFoundError:
        pytest.skip("no mount on this system")
    options = [*toy.judged, "--epochs", "1", "--name", "full"]
    try:
        code, answer = toy.run("finetune", *options)
        assert (code, "MB are free" in answer["error"]) == (70, True), answer["error"]
        monkeypatch.setattr("tasks.finetune.train.COPIES", 0)
        code, answer = toy.run("finetune", *options)
        assert (code, "MB left" in answer["error"]) == (70, True), answer["error"]
    finally:
        subprocess.run(["umount", str(toy.models)], check=True)


LINE = '{"query": "what is greased", "passage": "the bearing"}\n'
PAIRS = {
    LINE * 3: "the file of pairs has 1 questions, expected 30 or more",
    f"{LINE}not json\n": "pairs.jsonl, line 2, is no pair",
    f'{LINE}\n["a", "b"]\n': "pairs.jsonl, line 3, is no pair",
    '{"query": "alone"}': "line 1, is no pair",
    '{"query": " ", "passage": "p"}': "line 1, is no pair",
    '{"query": "q", "passage": 7}': "line 1, is no pair",
    '{"query": "q", "passage": "p", "negatives": [1]}': "line 1, is no pair",
    "[" * 100_000: "line 1, is no pair",
    "\udcff": "expected a text file in UTF-8",
    "": "the file of pairs has 0 questions",
}


@pytest.mark.model
def test_what_cannot_be_learnt_from_is_told(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    path = toy.folder / "pairs.jsonl"
    for text, words in PAIRS.items():
        path.write_bytes(text.encode(errors="surrogateescape"))
        code, answer = toy.run("finetune", "--pairs", str(path))
        assert (code, words in answer["error"]) == (2, True), answer["error"]
        assert "the bearing" not in answer["error"]
    path.unlink()
    for options, words in {
        ("--pairs", str(path)): "pairs.jsonl cannot be read",
        (): "the headings, docstrings and links of the corpus ask 0 questions",
        ("--queries", str(toy.queries)): "belong together",
        ("--spans", str(toy.qrels)): "belong together",
        ("--name", "../away"): "is no name",
        (*toy.judged, "--mix", "gone.jsonl"): "gone.jsonl cannot be read",
    }.items():
        code, answer = toy.run("finetune", *options)
        assert (code, words in answer["error"]) == (2, True), answer["error"]
    monkeypatch.setattr("tasks.finetune.open.is_installed", lambda name: name != "datasets")
    code, answer = toy.run("finetune", *toy.judged)
    assert (code, "pip install -e '.[finetune]'" in answer["error"]) == (2, True)
    assert not [path for path in toy.models.glob("*") if path.name.startswith("toy-")]


@pytest.mark.parametrize(
    ("embedder", "words"),
    [
        ("{kind: hashing}", "(kind: hashing) cannot be trained here"),
        ("{kind: openai, model: text-embedding-3-small, api_key: '${KEY}'}", "'text-embedding-3-small' (kind: openai)"),
        ("{kind: clip, model: ./clip}", "'./clip' (kind: clip)"),
        ("{kind: sentence-transformers, model: ./static}", "is a table of one vector for each token"),
    ],
)
def test_a_model_that_cannot_be_trained_here_is_told(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, embedder: str, words: str
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, "[UNK]"))
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")
    static.save_pretrained(str(pipeline.folder / "static"), create_model_card=False)
    monkeypatch.setenv("KEY", "secret")
    pipeline.config.write_text(FIRST.format(embedder=embedder))
    outcome = pipeline.run("finetune", str(pipeline.config), "--json")
    assert (outcome.code, words in outcome.json["error"]) == (2, True), outcome.json["error"]
