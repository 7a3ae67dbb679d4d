"""GET with bounds: on bytes, packed and unpacked, on time, and on redirects, each of which is checked."""

import time
import zlib
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urldefrag, urljoin

from tasks.errors import DocumentError, MissingExtraError, TransientError
from tasks.load.web.address_guard import AddressPolicy
from tasks.load.web.connections import REDIRECTS, check_hop, web_options
from tasks.retry import retry_after

CHUNK_BYTES = 65_536
DOCUMENT_SECONDS = 300.0
PAGE_SECONDS = 60.0
PAGE_BYTES = 20_000_000
NOT_MODIFIED = 304
_REDIRECTS = (301, 302, 303, 307, 308)
_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS + 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Limits(NamedTuple):
    """What one answer may take, head and body."""

    bytes: int = PAGE_BYTES
    seconds: float = PAGE_SECONDS


class Answer(NamedTuple):
    """`headers` by name in any case. `content` is unpacked; empty where `status` is not 200, or nobody wanted it."""

    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes = b""

    @property
    def target(self) -> str:
        """Where a redirect leads; "" for other answers."""
        location = self.headers.get("Location", "") if self.status in _REDIRECTS else ""
        return urldefrag(urljoin(self.url, location)).url if location else ""

    def all(self, name: str) -> list[str]:
        """The values of a header that may stand there several times."""
        return [value for header, value in self.headers.items() if header.lower() == name.lower()]


class Fetcher:
    """One source's way to web servers."""

    def __init__(self, policy: AddressPolicy) -> None:
        """Nothing is contacted yet. MissingExtraError without the library for it."""
        try:
            from fsspec.implementations.http import HTTPFileSystem
        except ImportError as error:
            raise MissingExtraError("https://", "http") from error
        self._files: Any = HTTPFileSystem(**web_options(policy))

    def ask(
        self,
        url: str,
        limits: Limits,
        headers: Mapping[str, str] = {},
        wants: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:
        """The answer to one request, whatever its status; a redirect is not followed.

        The body is read where the status is 200 and `wants` says so of the answer without it. DocumentError as soon as
        it passes the limit, TransientError where the server cannot be reached or takes longer.
        """
        from aiohttp import ClientError
        from fsspec.asyn import sync

        run: Any = sync
        try:
            answer: Answer = run(self._files.loop, self._ask, url, limits, headers, wants)
        except TimeoutError as error:
            raise TransientError(f"{url} has not answered whole within {limits.seconds:g} s, the limit") from error
        except (ClientError, OSError, ValueError) as error:
            raise TransientError(f"{url} cannot be read: {type(error).__name__}: {error}") from error
        return answer

    def get(self, url: str, limits: Limits, *, is_wanted: bool = True) -> Answer:
        """The answer 200, redirects followed; what else a server answers is an error."""
        answer = followed(url, lambda place: self.ask(place, limits, {}, lambda _: is_wanted))
        require_ok(answer)
        return answer

    async def _ask(
        self, url: str, limits: Limits, headers: Mapping[str, str], wants: Callable[[Answer], bool]
    ) -> Answer:
        import aiohttp

        session = await self._files.set_session()
        asked = {"Accept-Encoding": "gzip, deflate", **headers}
        timeout = aiohttp.ClientTimeout(total=limits.seconds)
        async with session.get(
            self._files.encode_url(url), headers=asked, timeout=timeout, allow_redirects=False, auto_decompress=False
        ) as response:
            answer = Answer(url, response.status, response.headers)
            if response.status != HTTPStatus.OK or not wants(answer):
                return answer
            packed = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                packed += chunk
                require_size(url, len(packed), limits.bytes)
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        if coding not in ("gzip", "x-gzip", "deflate"):
            if coding not in ("", "identity"):
                raise DocumentError(
                    "unreadable", f"{url} is packed as {coding!r}, expected gzip or deflate; exclude it"
                )
            return answer._replace(content=bytes(packed))
        form = _GZIP if "gzip" in coding else _ZLIB if packed[:1] == b"\x78" else _RAW
        return answer._replace(content=unpacked(url, bytes(packed), limits.bytes, form))


def followed(url: str, ask: Callable[[str], Answer]) -> Answer:
    """The answer where redirects end, each of which is checked; of too many the last one."""
    answer = ask(url)
    for _ in range(REDIRECTS):
        if not answer.target:
            break
        check_hop(answer.target)
        answer = ask(answer.target)
    return answer


def require_ok(answer: Answer) -> None:
    """Raise what a status other than 200 means: gone, forbidden, or perhaps right another time."""
    if answer.status in (404, 410):
        raise FileNotFoundError(answer.url)
    if answer.status in (401, 403):
        raise PermissionError(answer.url)
    if answer.status != HTTPStatus.OK:
        wish = retry_after(answer.headers.get("Retry-After"), time.time())
        expected = f"expected 200, after {REDIRECTS} redirects at most" if answer.target else "expected 200"
        raise TransientError(f"{answer.url} answers {answer.status}, {expected}", wish)


def require_size(url: str, size: int, limit: int) -> None:
    """Raise DocumentError above the limit."""
    if size > limit:
        raise DocumentError(
            "too-large",
            f"{url} has more than {limit:,} bytes, the limit; exclude it, or raise max_bytes where that is the limit",
        )


def unpacked(url: str, content: bytes, limit: int, form: int = _GZIP) -> bytes:
    """What is in it, however many gzip files stand behind each other; never more than the limit in memory."""
    parts: list[bytes] = []
    size = 0
    while content:
        unpack = zlib.decompressobj(form)
        try:
            parts.append(unpack.decompress(content, limit + 1 - size))
        except zlib.error as error:
            raise DocumentError("unreadable", f"{url} cannot be unpacked ({error}); exclude it") from error
        size += len(parts[-1])
        require_size(url, size, limit)
        if not unpack.eof:
            raise TransientError(f"{url} ends in the middle of what is packed")
        content = unpack.unused_data if form == _GZIP and unpack.unused_data.startswith(b"\x1f\x8b") else b""
    return b"".join(parts)
