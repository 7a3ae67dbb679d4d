"""The one place that knows the kinds of embedders."""

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


def open_embedder(config: schema.Embedder) -> CountingEmbedder:
    """Cheap: nothing heavy is imported before the first text."""
    match config:
        case schema.SentenceTransformersEmbedder():
            from tasks.embed.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(config)
        case schema.OpenAIEmbedder():
            from tasks.embed.openai import OpenAIEmbedder

            return OpenAIEmbedder(config)
        case schema.HashingEmbedder():
            from tasks.embed.hashing import HashingEmbedder

            return HashingEmbedder(config)
    assert_never(config)
