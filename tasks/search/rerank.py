"""A second look at the best results: a model reads query and text together, which sorts better than vectors do.

A cross-encoder runs here; Cohere's and Voyage's are asked over HTTP. Both answer a score for each text.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from config.pipeline import Rerank
from tasks.embed.api import cohere, voyage
from tasks.embed.api.dispatch.account import Terms
from tasks.embed.api.posts import Posts
from tasks.embed.api.sdk import Sender
from tasks.embed.local.runtime.device import choose_devices
from tasks.embed.local.weights import find_folder
from tasks.embed.models import paid_models
from tasks.errors import ConfigError, HeadraceError
from tasks.records import Hit

BATCH_TEXTS = 16
LOCAL_TOKENS = 512
_PLACES = {"cohere": (cohere.ADDRESS, "/v2/rerank"), "voyage": (voyage.ADDRESS, "/v1/rerank")}


class Reranker(Protocol):
    """Scores texts for a query, each on its own; called from one thread at a time."""

    def scores(self, query: str, texts: Sequence[str], /) -> list[float]:
        """How well each text answers, the higher the better; the scores of one model compare with one another."""
        ...


@lru_cache(maxsize=2)
def open_reranker(settings: Rerank, budget: str) -> Reranker:
    """The one that the settings name, once for a process; ConfigError for a model or a key that is not to be had.

    `budget` is the database in which processes share the money of a service.
    """
    return _CrossEncoder(settings) if settings.provider == "sentence-transformers" else _Service(settings, budget)


def readable(hit: Hit) -> str:
    """The text below the titles that it stands under."""
    titles = hit.payload["metadata"].get("heading")
    above = " > ".join(map(str, titles)) if isinstance(titles, list) else str(titles or "")
    return f"{above}\n\n{hit.payload['text']}" if above else str(hit.payload["text"])


class _CrossEncoder:
    def __init__(self, settings: Rerank) -> None:
        folder = find_folder(settings.model, None)
        from sentence_transformers import CrossEncoder

        try:
            self._model = CrossEncoder(
                str(folder),
                device=choose_devices(settings.device)[0],
                max_length=LOCAL_TOKENS,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            words = str(error).partition("\n")[0][:200]
            raise ConfigError(f"search.rerank.model {settings.model!r} cannot be used: {words}") from error
        if self._model.num_labels != 1:
            raise ConfigError(
                f"search.rerank.model {settings.model!r} has {self._model.num_labels} outputs; expected a cross-encoder"
                " with one, such as cross-encoder/ms-marco-MiniLM-L6-v2"
            )

    def scores(self, query: str, texts: Sequence[str], /) -> list[float]:
        pairs = [(query, text) for text in texts]
        made = self._model.predict(pairs, batch_size=BATCH_TEXTS, show_progress_bar=False)
        return [float(score) for score in made]


class _Service:
    """Paid for by the query, whatever its length."""

    def __init__(self, settings: Rerank, budget: str) -> None:
        kind = settings.provider
        keys = paid_models(kind).keys
        given = settings.api_key.get_secret_value() if settings.api_key else ""
        key = given or next(filter(None, map(os.environ.get, keys)), "")
        if not key:
            raise ConfigError(
                f"search.rerank asks {kind.capitalize()}, and there is no key; export {keys[0]}=…, or write api_key"
                " under `rerank`"
            )
        address, path = _PLACES[kind]
        url = (settings.base_url or address).rstrip("/").removesuffix("/v1") + path
        terms = Terms(
            max_usd=settings.max_usd,
            max_usd_per_day=settings.max_usd_per_day,
            usd_per_million_tokens=(settings.usd_per_query or 0.0) * 1e6,  # a query counts as a token
        )
        sender = Sender(f"{kind.capitalize()}'s rerank", key, keys[0], "search.rerank")
        self._model = settings.model
        self._posts = Posts(sender, url, _scores, budget, terms)
        self._turn = threading.Lock()

    def scores(self, query: str, texts: Sequence[str], /) -> list[float]:
        with self._turn:
            (found,) = self._posts.answers([{"model": self._model, "query": query, "documents": list(texts)}], [1])
        if isinstance(found, HeadraceError):
            raise type(found)(f"{found}; search with --no-rerank, or change `search.rerank`")
        return found


def _scores(body: Mapping[str, Any], answer: Any) -> tuple[list[float], None]:
    rows = {int(row["index"]): float(row["relevance_score"]) for row in answer.get("results") or answer["data"]}
    return [rows[number] for number in range(len(body["documents"]))], None
