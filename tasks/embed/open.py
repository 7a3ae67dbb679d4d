"""The one place that knows the kinds of embedders."""

import os
from pathlib import Path
from typing import Protocol, assert_never

from config import embedders
from tasks.embed.base import Embedder
from tasks.embed.tokens.tokenizers import ModelTokenizer, TiktokenTokenizer, WordTokenizer


class CountingEmbedder(Embedder, Protocol):
    """An embedder that counts tokens as it sends them."""

    @property
    def tokenizer(self) -> ModelTokenizer | TiktokenTokenizer | WordTokenizer:
        """Known without loading weights."""
        ...


def open_embedder(config: embedders.Embedder, state: str = "") -> CountingEmbedder:
    """Cheap: nothing heavy is imported before the first text. `state` is the URL of the pipeline's ledger."""
    match config:
        case embedders.SentenceTransformersEmbedder():
            from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(config)
        case embedders.OpenAIEmbedder():
            from tasks.embed.api.openai import OpenAIEmbedder

            return OpenAIEmbedder(config, _budget(state))
        case embedders.HashingEmbedder():
            from tasks.embed.hashing import HashingEmbedder

            return HashingEmbedder(config)
    assert_never(config)


def _budget(state: str) -> str:
    """Where processes share limits and money: all machines that share a ledger, else all runs of a user."""
    if state.startswith("postgres"):
        return state
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return f"sqlite:///{home / 'headrace' / 'budget.db'}"
