"""The one place that knows the kinds of chunkers."""

from config import pipeline
from tasks.chunk.base import Chunker
from tasks.chunk.processes import ChunkerProcesses
from tasks.records import Tokenizer


def open_chunker(config: pipeline.Chunking, tokenizer: Tokenizer) -> Chunker:
    """There is one kind so far: `auto` looks at each document's format."""
    return ChunkerProcesses(config, tokenizer)
