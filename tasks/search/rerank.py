"""A second look at the best results: a model reads query and text together, which sorts better than vectors do.

A cross-encoder runs here; Cohere's and Voyage's are asked over HTTP. Both answer a score for each text.
"""

import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from config.pipeline import Rerank
from tasks.embed.local.runtime.device import choose_devices
from tasks.embed.local.weights import find_folder
from tasks.errors import BudgetError, ConfigError, HeadraceError, ServiceError, TransientError
from tasks.retry import retry_after, with_retries

BATCH_TEXTS = 16
LOCAL_TOKENS = 512
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 60.0
_KEYS = {"cohere": ("CO_API_KEY", "COHERE_API_KEY"), "voyage": ("VOYAGE_API_KEY",)}
_ADDRESSES = {"cohere": "https://api.cohere.com", "voyage": "https://api.voyageai.com"}
_PATHS = {"cohere": "/v2/rerank", "voyage": "/v1/rerank"}


class Reranker(Protocol):
    """Scores texts for a query, each on its own; called from one thread at a time."""

    def scores(self, query: str, texts: Sequence[str], /) -> list[float]:
        """How well each text answers, the higher the better; the scores of one model compare with one another."""
        ...


@lru_cache(maxsize=2)
def open_reranker(settings: Rerank) -> Reranker:
    """The one that the settings name, once for a process; ConfigError for a model or a key that is not to be had."""
    kind = settings.provider
    return _CrossEncoder(settings) if kind == "sentence-transformers" else _Service(kind, settings)


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
    """Money is counted before a request is sent, by what the settings say that one costs."""

    def __init__(self, kind: str, settings: Rerank) -> None:
        given = settings.api_key.get_secret_value() if settings.api_key else ""
        key = given or next(filter(None, map(os.environ.get, _KEYS[kind])), "")
        if not key or not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigError(
                f"search.rerank asks {kind.capitalize()}, and there is no key that can be sent; export"
                f" {_KEYS[kind][0]}=…, or write api_key under `rerank`"
            )
        import httpx

        from tasks.embed.api.guard import guard

        self._kind, self._settings, self._key = kind, settings, key
        self._http = httpx.Client(
            base_url=(settings.base_url or _ADDRESSES[kind]).rstrip("/").removesuffix("/v1"),
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )
        guard(self._http)
        weakref.finalize(self, self._http.close)
        self._turn = threading.Lock()
        self._spent_usd = 0.0

    def scores(self, query: str, texts: Sequence[str], /) -> list[float]:
        body = {"model": self._settings.model, "query": query, "documents": list(texts)}
        with self._turn:
            return with_retries(lambda: self._asked(body, len(texts)))

    def _asked(self, body: Mapping[str, Any], texts: int) -> list[float]:
        import httpx

        self._pay()
        try:
            answer = self._http.post(_PATHS[self._kind], json=body)
        except httpx.HTTPError as error:
            raise TransientError(
                f"{self._name} cannot be reached ({type(error).__name__}); check the network"
            ) from None
        if answer.status_code < 500 and not answer.is_success:  # what is refused is not charged for
            self._spent_usd -= self._settings.usd_per_query or 0.0
        if not answer.is_success:
            raise self._refusal(answer.status_code, answer.text, answer.headers.get("retry-after"))
        try:
            shape = answer.json()
            rows = {int(row["index"]): float(row["relevance_score"]) for row in shape.get("results") or shape["data"]}
            return [rows[number] for number in range(texts)]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ServiceError(
                f"{self._name} answered without a score for each text; is base_url its server?"
            ) from None

    def _pay(self) -> None:
        limit, price = self._settings.max_usd, self._settings.usd_per_query or 0.0
        if limit is not None and self._spent_usd + price > limit:
            raise BudgetError(
                f"search.rerank.max_usd is {limit:g} and ${self._spent_usd:.4f} is spent; raise it, or search with"
                " --no-rerank"
            )
        self._spent_usd += price

    def _refusal(self, status: int, text: str, wish: str | None) -> HeadraceError:
        words = " ".join(text.replace(self._key, "***").split())[:200]
        said = f"{self._name} answered {status}: {words}"
        if status in (408, 429) or status >= 500:
            return TransientError(f"{said}; try again later", retry_after(wish, time.time()))
        if status in (401, 403, 404):
            return ConfigError(f"{said}; check the key, `model` and `base_url` under search.rerank")
        return ServiceError(f"{said}; search with --no-rerank, or lower `top`")

    @property
    def _name(self) -> str:
        return f"{self._kind.capitalize()}'s rerank"
