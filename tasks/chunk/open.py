"""The one place that knows the kinds of chunkers."""

from collections.abc import Callable, Sequence

from config import pipeline
from tasks.chunk.base import Chunker
from tasks.chunk.late import LateChunker
from tasks.chunk.processes import ChunkerProcesses
from tasks.errors import ConfigError
from tasks.records import Tokenizer
from tasks.system.here import start_processes
from tasks.system.worker import StartWorkers

LEAST_CHUNKS = 4  # that the model reads at once: with fewer a chunk would see hardly more than itself


def open_chunker(
    config: pipeline.Chunking,
    tokenizer: Tokenizer,
    late: Callable[[Sequence[str]], list[int]] | None = None,
    start: StartWorkers = start_processes,
) -> Chunker:
    """There is one kind so far: `auto` looks at each document's format.

    `late` counts what the model reads of whole documents, where chunks are embedded inside them; None where it reads
    their chunks. `start` starts the workers of a large run.
    """
    if config.late:  # the model reads the document itself
        config = config.model_copy(update={"context": "none"})
    chunker = ChunkerProcesses(config, tokenizer, start=start)
    if not config.late:
        return chunker
    if config.max_tokens * LEAST_CHUNKS > tokenizer.max_tokens:
        limit = tokenizer.max_tokens
        raise ConfigError(
            f"chunking.late with chunks of {config.max_tokens} tokens, but the model reads {limit} at once, expected"
            f" {LEAST_CHUNKS} times as many as a chunk has: set chunking.max_tokens to {limit // LEAST_CHUNKS} or less,"
            " choose a model for longer texts, or leave `late` out"
        )
    return LateChunker(chunker, late)
