"""The one place that knows the kinds of embedders."""

import os
from pathlib import Path
from typing import Protocol, assert_never

from config import schema
from tasks.embed.base import Embedder
from tasks.embed.tokenizers import ModelTokenizer, TiktokenTokenizer, WordTokenizer


class CountingEmbedder(Embedder, Protocol):
    """An embedder that counts tokens as it sends them."""

    @property
    def tokenizer(self) -> ModelTokenizer | TiktokenTokenizer | WordTokenizer:
        """Known without loading weights."""
        ...


def open_embedder(config: schema.Embedder, state: str = "") -> CountingEmbedder:
    """Cheap: nothing heavy is imported before the first text. `state` is the URL of the pipeline's ledger."""
    match config:
        case schema.SentenceTransformersEmbedder():
            from tasks.embed.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(config)
        case schema.OpenAIEmbedder():
            from tasks.embed.openai import OpenAIEmbedder

            return OpenAIEmbedder(config, _budget(state))
        case schema.HashingEmbedder():
            from tasks.embed.hashing import HashingEmbedder

            return HashingEmbedder(config)
    assert_never(config)


def _budget(state: str) -> str:
    """Where processes share limits and money: all machines that share a ledger, else all runs of a user."""
    if state.startswith("postgres"):
        return state
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return f"sqlite:///{home / 'headrace' / 'budget.db'}"
