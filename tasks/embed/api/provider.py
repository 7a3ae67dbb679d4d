"""What a paid provider is, and what every one of them needs to read its SDK's errors."""

import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import Answer
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.models import PaidModels
from tasks.errors import HeadraceError

REQUEST_SECONDS = 60.0
CONNECT_SECONDS = 5.0
MESSAGE_LENGTH = 300
# By name, since SDKs change their HTTP library; of httpx, aiohttp and urllib3.
_NEVER_SENT = {
    "ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "ConnectionTimeoutError",
    "NewConnectionError", "ConnectTimeoutError",
}  # fmt: skip
_LONG_QUOTE = re.compile(r"""(["'`])(?:(?!\1).){20,}(?:\1|$)""", re.DOTALL)
_KEY = re.compile(r"\b(sk|pk|key)-[\w*-]{4,}")


class Provider(Protocol):
    """One company's API through its SDK; everything that is the same for all of them is PaidEmbedder's."""

    @property
    def family(self) -> str:
        """Whose vectors they are, in vector spaces and accounts."""
        ...

    @property
    def name(self) -> str:
        """The provider in messages."""
        ...

    @property
    def models(self) -> PaidModels:
        """Limits, prices and dimensions."""
        ...

    @property
    def account(self) -> tuple[str, str]:
        """The server's address and the key: who shares both, shares limits and money."""
        ...

    def call(self, texts: list[str], side: Side, /) -> Answer:
        """Send one request, once: no retries of the SDK's own. Called from several threads.

        The vectors come in the order of the texts; MalformedError where the answer cannot be read so.
        """
        ...

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        """What an error that `call` raised means, scrubbed; None for an error that is not the SDK's.

        The classes of dispatch/outcomes.py say what happens next. ConfigError and ServiceError stop the run.
        """
        ...

    def check(self) -> None:
        """Raise ConfigError, with the remedy, where there is no key; sends nothing."""
        ...

    def close(self) -> None:
        """End the connections; the next call opens them again."""
        ...


def was_sent(error: BaseException) -> bool:
    """Whether the request may have arrived, for all that this error and its causes say."""
    return not any(type(cause).__name__ in _NEVER_SENT for cause in _causes(error))


def scrubbed(message: str, key: str) -> str:
    """Short, without the key, and without long quotations, which are somebody's document."""
    if key:
        message = message.replace(key, "***")
    message = _LONG_QUOTE.sub("'…'", _KEY.sub("***", message))
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:MESSAGE_LENGTH]}…"


def lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
