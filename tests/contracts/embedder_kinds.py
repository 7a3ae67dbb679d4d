"""The embedders that the contract suites are run with: a line in KINDS, and one in PAID for those that cost money."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from config import embedders
from tasks.embed.api.cohere import CohereProvider
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.embedder import PaidEmbedder
from tasks.embed.api.gemini import GeminiProvider
from tasks.embed.api.openai import OpenAIProvider
from tasks.embed.api.provider import Provider
from tasks.embed.api.voyage import VoyageProvider
from tasks.embed.base import Embedder
from tasks.embed.open import open_embedder
from tests.clip_models import save_model
from tests.cohere_server import CohereServer
from tests.gemini_server import GeminiServer
from tests.openai_server import OpenAIServer
from tests.provider_server import ProviderServer
from tests.voyage_server import ContextServer, VoyageServer

KEY = "sk-test"
Settings = Mapping[str, object]


class Kind(Protocol):
    """Opens an embedder as often as it is asked; `settings` go over the usual ones."""

    settings: Settings
    many: int  # more texts than go into one request or batch
    same: Sequence[Settings]  # settings that change no vector
    others: Sequence[Settings]  # settings that make another vector space

    def open(self, **settings: object) -> Embedder: ...


@dataclass(frozen=True)
class FreeKind:
    """An embedder that runs here."""

    section: type[
        embedders.HashingEmbedder
        | embedders.LangChainEmbedder
        | embedders.SentenceTransformersEmbedder
        | embedders.ClipEmbedder
    ]
    settings: Settings
    many: int
    same: Sequence[Settings]
    others: Sequence[Settings]
    save: Callable[[Path, int], Path] | None = None  # makes a model of this number, where none can be had

    def placed(self, folder: Path) -> "FreeKind":
        """The same with models that were made for it."""
        if self.save is None:
            return self
        one, other = ({"model": str(self.save(folder / str(number), number))} for number in (1, 2))
        return replace(self, settings={**self.settings, **one}, others=[other])

    def open(self, **settings: object) -> Embedder:
        return open_embedder(self.section.model_validate({**self.settings, **settings}))


@dataclass(frozen=True)
class PaidKind:
    """What cannot be read from a provider's settings or its dialect; `dimension` is a short one that it offers.

    `relative` is a model that shares the space of the one in the settings.
    """

    server: Callable[[], ProviderServer]
    section: type[embedders.PaidEmbedder]
    provider: Callable[[Any], Provider]
    settings: Settings
    other_model: str
    dimension: int
    key_variable: str
    embedder: type[PaidEmbedder] = PaidEmbedder
    relative: str = ""


class Time:
    """A clock that sleeping moves."""

    def __init__(self, chance: float = 0.5) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.clock = Clock(now=lambda: self.now, sleep=self._sleep, chance=lambda: chance)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Bench:
    """A paid embedder, its server, and a time in which no test waits; all that is opened shares one budget."""

    kind: PaidKind
    server: ProviderServer
    budget: Path
    time: Time = field(default_factory=Time)
    opened: list[PaidEmbedder] = field(default_factory=list[PaidEmbedder])

    @property
    def settings(self) -> Settings:
        return self.kind.settings

    @property
    def many(self) -> int:
        return self.server.dialect.most_inputs + 4

    @property
    def same(self) -> Sequence[Settings]:
        return {"base_url": "http://127.0.0.1:9/v1"}, {"api_key": "sk-other"}, {"concurrency": 1}

    @property
    def others(self) -> Sequence[Settings]:
        return {"dimensions": None}, {"model": self.kind.other_model}

    def open(self, **settings: object) -> PaidEmbedder:
        usual = {"api_key": KEY, "base_url": self.server.url, "dimensions": self.kind.dimension}
        config = self.kind.section.model_validate({**usual, **self.kind.settings, **settings})
        url = f"sqlite:///{self.budget}"
        self.opened.append(self.kind.embedder(config, self.kind.provider(config), url, self.time.clock))
        return self.opened[-1]


@dataclass(frozen=True)
class Service:
    """The provider itself, with the key that stands in the environment; few texts, for they cost money."""

    kind: PaidKind
    budget: Path
    many: int = 101
    same: Sequence[Settings] = ({"concurrency": 1},)

    @property
    def settings(self) -> Settings:
        return self.kind.settings

    @property
    def others(self) -> Sequence[Settings]:
        return {"dimensions": None}, {"model": self.kind.other_model}

    def open(self, **settings: object) -> PaidEmbedder:
        usual = {"dimensions": self.kind.dimension, "max_usd": 0.10}
        config = self.kind.section.model_validate({**usual, **self.kind.settings, **settings})
        return PaidEmbedder(config, self.kind.provider(config), f"sqlite:///{self.budget}")


@contextmanager
def bench(kind: PaidKind, folder: Path) -> Generator[Bench, None, None]:
    with kind.server() as server:
        made = Bench(kind, server, folder / "budget.db")
        yield made
        for embedder in made.opened:
            embedder.close()


FREE = {
    "hashing": FreeKind(
        embedders.HashingEmbedder, {"kind": "hashing", "dimensions": 128}, 2500, [], [{"dimensions": 64}]
    ),
    "langchain": FreeKind(
        embedders.LangChainEmbedder,
        {
            "kind": "langchain",
            "class": "langchain_core.embeddings.DeterministicFakeEmbedding",
            "arguments": {"size": 32},
            "dimensions": 32,
        },
        200,
        [{"batch_texts": 7}],
        [{"arguments": {"size": 16}, "dimensions": 16}, {"class": "tests.langchain_classes.Upwards"}],
    ),
    "local": FreeKind(
        embedders.SentenceTransformersEmbedder,
        {"kind": "sentence-transformers", "model": "sentence-transformers/all-MiniLM-L6-v2", "device": "cpu"},
        400,
        [{"runtime": "torch"}, {"batch_tokens": 100}, {"model": "all-MiniLM-L6-v2"}],
        [{"dimensions": 64, "force_dimensions": True}, {"precision": "int8"}],
    ),
    "clip": FreeKind(
        embedders.ClipEmbedder,
        {"kind": "clip", "device": "cpu"},
        200,
        [{"device": "auto"}],
        [],
        lambda folder, number: save_model(folder, seed=number, max_tokens=1024),
    ),
}
PAID = {
    "openai": PaidKind(
        OpenAIServer,
        embedders.OpenAIEmbedder,
        OpenAIProvider,
        {"kind": "openai", "model": "text-embedding-3-small"},
        "text-embedding-3-large",
        8,
        "OPENAI_API_KEY",
    ),
    "cohere": PaidKind(
        CohereServer,
        embedders.CohereEmbedder,
        CohereProvider,
        {"kind": "cohere", "model": "embed-v5.0-pro"},
        "embed-v4.0",
        256,
        "CO_API_KEY",
        relative="embed-v5.0-fast",
    ),
    "voyage": PaidKind(
        VoyageServer,
        embedders.VoyageEmbedder,
        VoyageProvider,
        {"kind": "voyage", "model": "voyage-4"},
        "voyage-3.5",
        256,
        "VOYAGE_API_KEY",
        relative="voyage-4-lite",
    ),
    "voyage context": PaidKind(
        ContextServer,
        embedders.VoyageEmbedder,
        VoyageProvider,
        {"kind": "voyage", "model": "voyage-context-4"},
        "voyage-context-3",
        256,
        "VOYAGE_API_KEY",
    ),
    "gemini": PaidKind(
        GeminiServer,
        embedders.GeminiEmbedder,
        GeminiProvider,
        {"kind": "gemini", "model": "gemini-embedding-001"},
        "gemini-embedding-2",
        128,
        "GEMINI_API_KEY",
    ),
}
