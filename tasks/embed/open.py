"""The one place that knows the kinds of embedders."""

from typing import assert_never

from config import embedders
from config.pipeline import Pipeline
from tasks.embed.base import Embedder
from tasks.system.file_system import user_state
from tasks.system.worker import StartWorkers


def open_embedder(config: embedders.Embedder, state: str = "", start: StartWorkers | None = None) -> Embedder:
    """Cheap: nothing heavy is imported before the first text. `state` is the URL of the pipeline's ledger.

    `start` starts workers that hold a model's weights; None where this process and its devices do. What costs money is
    asked for here alone.
    """
    match config:
        case embedders.SentenceTransformersEmbedder():
            from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(config, start)
        case embedders.ClipEmbedder():
            from tasks.embed.local.clip import ClipEmbedder

            return ClipEmbedder(config)
        case embedders.OpenAIEmbedder():
            from tasks.embed.api.embedder import PaidEmbedder
            from tasks.embed.api.openai import OpenAIProvider

            return PaidEmbedder(config, OpenAIProvider(config), _budget(state))
        case embedders.CohereEmbedder():
            from tasks.embed.api.cohere import CohereProvider
            from tasks.embed.api.embedder import PaidEmbedder

            return PaidEmbedder(config, CohereProvider(config), _budget(state))
        case embedders.VoyageEmbedder():
            from tasks.embed.api.embedder import PaidEmbedder
            from tasks.embed.api.voyage import VoyageProvider

            return PaidEmbedder(config, VoyageProvider(config), _budget(state))
        case embedders.GeminiEmbedder():
            from tasks.embed.api.embedder import PaidEmbedder
            from tasks.embed.api.gemini import GeminiProvider

            return PaidEmbedder(config, GeminiProvider(config), _budget(state))
        case embedders.LangChainEmbedder():
            from tasks.embed.langchain import LangChainEmbedder

            return LangChainEmbedder(config)
        case embedders.HashingEmbedder():
            from tasks.embed.hashing import HashingEmbedder

            return HashingEmbedder(config)
    assert_never(config)


def books_of(pipeline: Pipeline) -> str:
    """The URL of the database in which the pipeline's paid requests share their limits and their money."""
    own = pipeline.embedder.budget if isinstance(pipeline.embedder, embedders.PaidEmbedder) else ""
    return own or _budget(pipeline.state)


def _budget(state: str) -> str:
    """Where processes share limits and money: all machines that share a ledger, else all runs of a user."""
    if state.startswith("postgres"):
        return state
    return f"sqlite:///{user_state() / 'budget.db'}"
