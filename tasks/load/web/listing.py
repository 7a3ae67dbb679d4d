"""Web servers through fsspec: guarded connections, bounded listings, bounded reading."""

import contextlib
import socket
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from tasks.errors import DocumentError, TransientError
from tasks.load.paths import is_relative
from tasks.load.web.address_guard import WEB, AddressPolicy, ForbiddenAddressError
from tasks.retry import retry_after

REDIRECTS = 5
LISTED = 50_000
DEPTH = 20
LISTING_SECONDS = 600.0
CHUNK_BYTES = 65_536
Entries = dict[str, Mapping[str, Any]]


def web_options(policy: AddressPolicy) -> dict[str, Any]:
    """Storage options for fsspec's http and https; an instance of its own, for the policy is the source's."""
    return {
        "get_client": partial(_client, policy),
        "max_redirects": REDIRECTS + 1,  # aiohttp counts the answer after the last redirect as well
        "skip_instance_cache": True,
    }


def find_pages(files: Any, root: str) -> tuple[Entries, str]:
    """Everything that the folders below `root` link to below it, and why that is not all ("" where it is).

    A folder is an address that ends in a slash; its page is read for its links alone, as a directory listing.
    FileNotFoundError where there is no such page; another page that is gone is simply not there any more.
    """
    name = urlsplit(root).path.rpartition("/")[2]
    if PurePosixPath(name).suffix and files.exists(root):
        return {root: {}}, ""
    walk = _Walk(files, root)
    walk.visit(f"{root}/", 0)
    while walk.folders and not walk.limit:
        with contextlib.suppress(FileNotFoundError):
            walk.visit(*walk.folders.pop())
    return walk.entries, walk.limit


class _Walk:
    """A listing on its way; it ends at the first limit, for an endless calendar has no last page."""

    def __init__(self, files: Any, root: str) -> None:
        self.entries: Entries = {}
        self.folders: list[tuple[str, int]] = []
        self._files = files
        self._root = root
        self._seen = {f"{root}/"}
        self._end = time.monotonic() + LISTING_SECONDS

    def visit(self, folder: str, depth: int) -> None:
        for entry in self._files.ls(folder, detail=True):
            path = str(entry["name"])
            if not is_below(self._root, path):
                continue
            if entry["type"] != "directory":
                self.entries[path] = entry
            elif path not in self._seen:
                self._seen.add(path)
                self.folders.append((path, depth + 1))

    @property
    def limit(self) -> str:
        if len(self.entries) + len(self._seen) > LISTED:
            return f"more than {LISTED:,} links"
        if any(depth > DEPTH for _, depth in self.folders):
            return f"folders more than {DEPTH} deep"
        return f"more than {LISTING_SECONDS:g} s of listing" if time.monotonic() > self._end else ""


def is_below(root: str, url: str) -> bool:
    """Whether the URL names something below the root, also after a server has taken its escapes and dots seriously."""
    inside = url.removeprefix(f"{root}/")
    path = unquote(inside.partition("?")[0].partition("#")[0]).removesuffix("/")
    return inside != url and "\\" not in path and is_relative(path)


def read_page(files: Any, url: str, max_bytes: int) -> bytes:
    """The content, unpacked; DocumentError as soon as it passes the limit, whatever the server announced."""
    from fsspec.asyn import sync

    return bytes(sync(files.loop, _body, files, url, max_bytes) or b"")


async def _body(files: Any, url: str, max_bytes: int) -> bytearray:
    session = await files.set_session()
    content = bytearray()
    async with session.get(files.encode_url(url), **files.kwargs) as response:
        if response.status in (404, 410):
            raise FileNotFoundError(url)
        if response.status in (401, 403):
            raise PermissionError(url)
        if response.status != HTTPStatus.OK:
            wish = retry_after(response.headers.get("Retry-After"), time.time())
            raise TransientError(f"{url} answers {response.status} {response.reason}, expected 200", wish)
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            content += chunk
            if len(content) > max_bytes:
                raise DocumentError(
                    "too-large", f"{url} has more than {max_bytes:,} bytes, the limit; raise max_bytes or exclude it"
                )
    return content


async def _client(policy: AddressPolicy, loop: object = None, **options: Any) -> Any:
    """A session that only connects where the policy allows; without proxies, which would connect for it.

    `loop` is what fsspec passes along, and what aiohttp no longer takes.
    """
    import aiohttp

    async def check_redirect(_session: Any, _context: SimpleNamespace, hop: Any) -> None:
        _check_hop(urljoin(str(hop.url), hop.response.headers.get("Location", "")))

    traces = aiohttp.TraceConfig()
    traces.on_request_redirect.append(check_redirect)
    resolver: Any = _CheckedResolver(policy, aiohttp.ThreadedResolver())
    connector = aiohttp.TCPConnector(resolver=resolver, socket_factory=partial(_checked_socket, policy))
    return aiohttp.ClientSession(connector=connector, trace_configs=[traces], trust_env=False, **options)


def _check_hop(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in WEB:
        raise ForbiddenAddressError(f"a redirect leads to {parts.scheme}://, expected http:// or https://; exclude it")
    if "@" in parts.netloc:
        raise ForbiddenAddressError(f"a redirect to {parts.hostname} brings a user name along; exclude it")


class _CheckedResolver:
    """Refuses a name if any of its addresses is forbidden; what it answers is what is connected to."""

    def __init__(self, policy: AddressPolicy, resolver: Any) -> None:
        self._policy = policy
        self._resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> Any:
        answers = await self._resolver.resolve(host, port, socket.AddressFamily(family))
        for answer in answers:
            self._policy.check(host, str(answer["host"]), port)
        return answers

    async def close(self) -> None:
        await self._resolver.close()


def _checked_socket(policy: AddressPolicy, target: Any) -> socket.socket:
    """The last look before a connection, for addresses that stood in the URL and were never resolved."""
    family, kind, protocol, _, address = target
    policy.check(str(address[0]), str(address[0]), int(address[1]))
    return socket.socket(family=family, type=kind, proto=protocol)
