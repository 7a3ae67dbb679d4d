"""A bound on the whole of a provider's answer, and on where documents are sent, for any SDK that uses httpx or httpx2.

An SDK's own limit is for each read, so an answer that comes byte by byte, or that never ends, would hold a run for
ever; and it follows redirects, with the documents, wherever they lead.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from config.fields import public_url
from tasks.embed.api.dispatch.outcomes import MalformedError, OutageError
from tasks.errors import ConfigError

MOST_REDIRECTS = 3  # the documents travel each time
_EMPTYING = (301, 302, 303)  # after these, clients ask with GET
PACKED = ("identity", "gzip", "deflate")  # one of them: a read of others, or of several, may fill the memory


@dataclass(frozen=True)
class Bound:
    """`until` is on the monotonic clock."""

    seconds: float
    until: float
    most_bytes: int

    def left(self) -> float:
        """Seconds; an error where there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise OutageError(f"no whole answer came within {self.seconds:.0f} s", may_be_billed=True, timed_out=True)
        return left


_bound: ContextVar[Bound | None] = ContextVar("bound", default=None)


@contextmanager
def bounded(seconds: float, most_bytes: int) -> Generator[None, None, None]:
    """What this thread asks a guarded client for meanwhile must have come within the time, and be no larger."""
    token = _bound.set(Bound(seconds, time.monotonic() + seconds, most_bytes))
    try:
        yield
    finally:
        _bound.reset(token)


def guard(client: Any) -> None:
    """Holds a client of httpx or httpx2 to `bounded`, and to the server that it was made for.

    The libraries have no door for a limit on a whole answer's head, so their connections are reached from inside; a
    test with a server that sends it byte by byte shows whether they still are.
    """
    client.headers["accept-encoding"] = ", ".join(PACKED[1:])
    client.event_hooks["response"].append(_check)
    client.max_redirects = MOST_REDIRECTS
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:
            transport._pool._network_backend = _Backend(transport._pool._network_backend)


def _check(response: Any) -> None:
    if response.has_redirect_location:
        is_emptied = response.status_code in _EMPTYING and response.request.method == "POST"
        _check_redirect(str(response.url), response.headers["location"], is_emptied=is_emptied)
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed not in PACKED:
        raise MalformedError(f"the answer is packed as {packed[:40]!r}, expected one of {', '.join(PACKED)}")
    # Replaced on this one answer: what reads it whole goes through here.
    response.__dict__["iter_bytes"] = _counted(response.iter_bytes)


def _check_redirect(url: str, location: str, *, is_emptied: bool = False) -> None:
    asked, wanted = urlsplit(url), urlsplit(urljoin(url, location))
    is_same = (asked.scheme, _host(asked)) == (wanted.scheme, _host(wanted))
    is_safer = (asked.scheme, wanted.scheme, asked.hostname) == ("http", "https", wanted.hostname)
    right = public_url(wanted.geturl())
    if not (is_same or is_safer):
        raise ConfigError(
            f"{_origin(asked)} sends requests on to {_origin(wanted)}; expected an answer from it: documents go to no"
            " server that the configuration does not name. If it is the right one, set embedder.base_url to"
            f" {right.removesuffix('/embeddings')}"
        )
    if is_emptied:
        raise ConfigError(
            f"{public_url(url)} sends requests on to {right}, where they would arrive without their texts; set"
            f" embedder.base_url to {right.removesuffix('/embeddings')}"
        )


def _host(parts: SplitResult) -> tuple[str | None, int]:
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _counted(chunks: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
    def iter_bytes() -> Iterator[bytes]:
        bound, size = _bound.get(), 0
        for chunk in chunks():
            size += len(chunk)
            if bound and size > bound.most_bytes:
                raise MalformedError(f"the answer is larger than {bound.most_bytes} bytes, and was not read to its end")
            yield chunk

    return iter_bytes


class _Backend:
    """Where connections come from."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def connect_tcp(self, *arguments: Any, **named: Any) -> "_Stream":
        return _Stream(self._backend.connect_tcp(*arguments, **named))


class _Stream:
    """A connection that waits no longer than what is left of the time for the whole answer."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._stream.read(max_bytes, _shorter(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _shorter(timeout))

    def start_tls(self, *arguments: Any, **named: Any) -> "_Stream":
        return _Stream(self._stream.start_tls(*arguments, **named))


def _shorter(timeout: float | None) -> float | None:
    bound = _bound.get()
    if bound is None:
        return timeout
    left = bound.left()
    return left if timeout is None else min(timeout, left)
