"""What providers with an SDK of their own share: where a key comes from, what a status means, how answers are read."""

import base64
import os
import re
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from config import embedders
from tasks.embed.api.dispatch.backoff import Clock, asked_delay
from tasks.embed.api.dispatch.outcomes import MalformedError, OutageError, RateLimitedError, RefusedError, TooLargeError
from tasks.embed.api.dispatch.sizes import LONGEST_SECONDS
from tasks.embed.api.guard import guard
from tasks.embed.api.provider import CONNECT_SECONDS, LATE, Provider, lower_case, scrubbed, too_large, words_of
from tasks.embed.models import is_installed
from tasks.errors import ConfigError, HeadraceError, MissingExtraError, ServiceError
from tasks.records import Vector
from tasks.system.proxies import through_proxies

if TYPE_CHECKING:
    import httpx

_STATUS_WORDS = [
    (re.compile(pattern), status)
    for pattern, status in (
        ("rate limit|too many requests", 429),
        ("overloaded|unavailable|busy|capacity|try again", 503),
        ("timeout|timed out", 504),
        ("internal|server error|upstream|bad gateway", 500),
        ("api key|unauthori[sz]ed|authentication", 401),
        ("model .*not (found|exist)|no such model", 404),
    )
]


@dataclass(frozen=True)
class Refusal:
    """What came in place of vectors; `words` are as they came, `delay_seconds` is a wish that stands in the body."""

    status: int
    words: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay_seconds: float | None = None
    is_about_money: bool = False
    is_about_settings: bool = False


class Sender(NamedTuple):
    """Who asked: a service, our key for it, the variable that may hold that, and the section that configures it all."""

    name: str
    key: str
    variable: str
    section: str = "embedder"


def meaning(refusal: Refusal, asker: "Provider | Sender", clock: Clock) -> HeadraceError:
    """What a refusal means by its status, where the provider has not found out more."""
    sender = asker if isinstance(asker, Sender) else Sender(asker.name, asker.account[1], asker.models.keys[0])
    status, headers = refusal.status, lower_case(refusal.headers)
    words = scrubbed(refusal.words, sender.key)
    text = f"{sender.name} answered {status}: {words}"
    delay = asked_delay(headers, clock) if refusal.delay_seconds is None else refusal.delay_seconds
    if refusal.is_about_money or status == 402:
        return ServiceError(f"{text}; nothing more is sent until the account may spend again")
    if refusal.is_about_settings or status in (401, 403, 404, 501) or 300 <= status < 400:
        own = sender.section
        return ConfigError(f"{text}; check {sender.variable} or {own}.api_key, {own}.model and {own}.base_url")
    if status == 413 or (status in (400, 422) and too_large(text, refusal.words)):
        return too_large(text, refusal.words) or TooLargeError(text)
    if status == 429:
        return RateLimitedError(text, delay, headers)
    if status in (408, 409, 499) or status >= 500:
        text = f"{text}; the server is not well, run again later"
        return OutageError(text, delay, may_be_billed=status in LATE)
    return RefusedError(text) if status >= 400 else MalformedError(f"the answer cannot be read: {words}")


def key_of(config: embedders.PaidEmbedder, provider: Provider) -> str:
    """The key of the configuration, or of the first of the environment's variables that is set.

    MissingExtraError where the provider's package is not installed; the extra is named as the provider is.
    """
    if not is_installed(provider.models.sdk):
        raise MissingExtraError(provider.name, provider.family)
    variables = provider.models.keys
    given = config.api_key.get_secret_value() if config.api_key else ""
    key = given or next(filter(None, map(os.environ.get, variables)), "")
    if not key:
        raise ConfigError(
            f"no key for {provider.name}: embedder.api_key is not set, nor the environment variable"
            f" {' or '.join(variables)}; export {variables[0]}=… or write api_key: '${{{variables[0]}}}'"
        )
    return key


def decoded(embedding: object, dtype: str = "float") -> Vector:
    """The vector that an answer holds, as base64 or as numbers; MalformedError for anything else.

    `dtype` is what was asked for: float (of 32 bits), int8, or binary, eight signs in each byte.
    """
    packed, listed = {"int8": ("i1", "<f4"), "binary": ("u1", "u1")}.get(dtype, ("<f4", "<f4"))
    try:
        if isinstance(embedding, str):
            embedding = base64.b64decode(embedding, validate=True)
        with np.errstate(over="ignore"):  # it becomes infinite, which is told
            found = np.frombuffer(embedding, packed) if isinstance(embedding, bytes) else np.asarray(embedding, listed)
        numbers = np.unpackbits(found).astype(np.int8) * 2 - 1 if dtype == "binary" else found
        vector: Vector = numbers.astype(np.float32, copy=False)
    except (OverflowError, TypeError, ValueError):
        raise MalformedError("a vector cannot be read") from None
    if found.ndim != 1:
        raise MalformedError("a vector cannot be read")
    return vector


class AnsweredError(Exception):
    """An error that stands in an answer which went well by its status: `status` is the one that it should have had."""

    def __init__(self, words: str, status: int, body: object) -> None:
        """The words are the server's."""
        super().__init__(words)
        self.status = status
        self.body = body


def refuse_error(body: Mapping[str, object]) -> None:
    """Raise the AnsweredError of a body that has one in place of vectors."""
    if said := body.get("error") or body.get("detail") or body.get("message"):
        raise AnsweredError(words_of(said) or "an error without words", _status(said), said)


def _status(error: object) -> int:
    """Its code where that is a status, else by its words; 400 lets the settings or one of the texts be to blame."""
    if isinstance(error, Mapping):
        for name in ("code", "status", "status_code"):
            if (code := str(error.get(name))).isdecimal() and 400 <= int(code) < 600:
                return int(code)
    words = words_of(error).lower()
    return next((status for pattern, status in _STATUS_WORDS if pattern.search(words)), 400)


@contextmanager
def reading() -> Generator[None, None, None]:
    """What an SDK raises that does not know what to make of an answer becomes a MalformedError: it would quote it."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"the answer cannot be read ({type(error).__name__})") from None


def count_of(tokens: object) -> int | None:
    """The tokens that an answer tells, None where that is no count."""
    if not isinstance(tokens, int | float) or isinstance(tokens, bool):
        return None
    return int(tokens) if 0 <= tokens < 1e12 else None


class Connections:
    """The connections of one provider, opened with its first request and again after a close; threads share them."""

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self._lock = Lock()
        self._client: httpx.Client | None = None

    @property
    def client(self) -> "httpx.Client":
        """The one of all threads."""
        with self._lock:
            self._client = self._client or _client()
            return self._client

    def close(self) -> None:
        """End them."""
        with self._lock:
            if self._client:
                self._client.close()
            self._client = None


def _client() -> "httpx.Client":
    """For SDKs that know one time limit for everything: a server that is not there is noticed soon.

    It follows no redirects: none of these services has one, and their SDKs would not say where it leads.
    """
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    timeout = httpx.Timeout(LONGEST_SECONDS, connect=CONNECT_SECONDS)
    with through_proxies():
        client = httpx.Client(timeout=timeout, limits=limits, follow_redirects=False, verify=certificates())
    client.event_hooks = {"request": [_connect_soon]}
    guard(client)
    return client


@cache
def certificates() -> ssl.SSLContext:
    """Read once: it takes a while."""
    import httpx

    return httpx.create_ssl_context()


def _connect_soon(request: "httpx.Request") -> None:
    request.extensions["timeout"]["connect"] = CONNECT_SECONDS
