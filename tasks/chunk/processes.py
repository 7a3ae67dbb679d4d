"""A large run cuts its documents in processes of their own: beside a fast model Python's one thread is too few."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from config import pipeline
from tasks.chunk.auto import AutoChunker
from tasks.records import Chunk, Document, Tokenizer
from tasks.system.here import start_processes
from tasks.system.worker import StartWorkers, Worker, WorkerDiedError

WORTH_CHARACTERS = 8_000_000  # cut here in a second, which is what a process takes to start


class ChunkerProcesses:
    """Cuts here until a run is known to be large, then in child processes; the chunks are the same."""

    def __init__(
        self,
        config: pipeline.Chunking,
        tokenizer: Tokenizer,
        worth_characters: int = WORTH_CHARACTERS,
        start: StartWorkers = start_processes,
    ) -> None:
        """`tokenizer` must be picklable; so many characters are worth workers, which `start` starts."""
        self._start = start
        self._made_of = (config.max_tokens, config.overlap_tokens, tokenizer, config.context)
        self._own = AutoChunker(*self._made_of)
        self._left = worth_characters
        self._workers: Sequence[Worker] = ()
        self.fingerprint = self._own.fingerprint

    def expect(self, characters: int, /) -> None:
        """The processes start with the first document that is really cut: others may prove to be unchanged."""
        if characters >= self._left:
            self._left = 0

    def split(self, documents: Sequence[Document], /) -> list[list[Chunk]]:
        """Each process gets a part of about the same size. What a process that died was asked is cut here."""
        sizes = [len(document.text) for document in documents]
        self._left -= sum(sizes)
        if not self._workers:
            if documents and self._left <= 0:
                self._workers = self._start(AutoChunker, *self._made_of)
            return self._own.split(documents)  # they take a moment to start
        parts = _parts(documents, sizes, len(self._workers))
        answers = [worker.ask("split", part) for worker, part in zip(self._workers, parts, strict=False)]
        return [chunks for part, answer in zip(parts, answers, strict=True) for chunks in self._cut(part, answer)]

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()
        self._workers = ()

    def _cut(self, part: Sequence[Document], answer: "Future[Any]") -> list[list[Chunk]]:
        try:
            chunks: list[list[Chunk]] = answer.result()
        except WorkerDiedError:
            return self._own.split(part)
        return chunks


def _parts(documents: Sequence[Document], sizes: Sequence[int], count: int) -> list[list[Document]]:
    """The documents in at most `count` parts, in order, of about the same number of characters."""
    share = sum(sizes) / count
    parts: list[list[Document]] = [[]]
    filled = 0
    for document, size in zip(documents, sizes, strict=True):
        if filled + size / 2 > share * len(parts) and parts[-1]:
            parts.append([])
        parts[-1].append(document)
        filled += size
    return parts
