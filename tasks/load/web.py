"""Web servers through fsspec: guarded connections, bounded listings, bounded reading."""

import socket
import time
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from tasks.errors import DocumentError
from tasks.load.address_guard import WEB, AddressPolicy, ForbiddenAddressError
from tasks.load.inside import is_relative

REDIRECTS = 5
LISTED = 50_000
DEPTH = 20
LISTING_SECONDS = 600.0
CHUNK_BYTES = 65_536
Found = dict[str, Mapping[str, Any]]


def web_options(policy: AddressPolicy) -> dict[str, Any]:
    """Storage options for fsspec's http and https; an instance of its own, for the policy is the source's."""
    return {
        "get_client": partial(_client, policy),
        "max_redirects": REDIRECTS + 1,  # aiohttp counts the answer after the last redirect as well
        "skip_instance_cache": True,
    }


def find_pages(files: Any, root: str) -> tuple[Found, str]:
    """Everything that the pages below `root` link to below it, and why that is not all ("" where it is).

    FileNotFoundError where there is no such page; another page that is gone is simply not there any more.
    """
    name = urlsplit(root).path.rpartition("/")[2]
    if PurePosixPath(name).suffix and files.exists(root):
        return {root: {}}, ""
    found: Found = {}
    folders = [(f"{root}/", 0)]
    seen = {f"{root}/"}
    end = time.monotonic() + LISTING_SECONDS
    while folders:
        folder, depth = folders.pop()
        try:
            entries = files.ls(folder, detail=True)
        except FileNotFoundError:
            if not depth:
                raise
            continue
        for entry in entries:
            path = str(entry["name"])
            if not is_below(root, path):
                continue
            if entry["type"] != "directory":
                found[path] = entry
            elif path not in seen:
                seen.add(path)
                folders.append((path, depth + 1))
        if limit := _limit(len(found) + len(seen), max((deep for _, deep in folders), default=0), end):
            return found, limit
    return found, ""


def is_below(root: str, url: str) -> bool:
    """Whether the URL names something below the root, also after a server has taken its escapes and dots seriously."""
    inside = url.removeprefix(f"{root}/")
    path = unquote(inside.partition("?")[0].partition("#")[0]).removesuffix("/")
    return inside != url and "\\" not in path and is_relative(path)


def read_page(files: Any, url: str, max_bytes: int) -> bytes:
    """The content, unpacked; DocumentError as soon as it passes the limit, whatever the server announced."""
    from fsspec.asyn import sync

    content: bytes = sync(files.loop, _body, files, url, max_bytes)
    return content


def _limit(listed: int, depth: int, end: float) -> str:
    if listed > LISTED:
        return f"more than {LISTED:,} links"
    if depth > DEPTH:
        return f"folders more than {DEPTH} deep"
    return f"more than {LISTING_SECONDS:g} s" if time.monotonic() > end else ""


async def _body(files: Any, url: str, max_bytes: int) -> bytes:
    session = await files.set_session()
    content = bytearray()
    async with session.get(files.encode_url(url), **files.kwargs) as response:
        if response.status in (404, 410):
            raise FileNotFoundError(url)
        if response.status in (401, 403):
            raise PermissionError(url)
        response.raise_for_status()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            content += chunk
            if len(content) > max_bytes:
                raise DocumentError(
                    "too-large", f"{url} has more than {max_bytes:,} bytes, the limit; raise max_bytes or exclude it"
                )
    return bytes(content)


async def _client(policy: AddressPolicy, **options: Any) -> Any:
    """A session that only connects where the policy allows; without proxies, which would connect for it."""
    import aiohttp

    async def check_redirect(_session: Any, _context: SimpleNamespace, hop: Any) -> None:
        _check_hop(urljoin(str(hop.url), hop.response.headers.get("Location", "")))

    traces = aiohttp.TraceConfig()
    traces.on_request_redirect.append(check_redirect)
    connector = aiohttp.TCPConnector(
        resolver=_CheckedResolver(policy, aiohttp.ThreadedResolver()),  # type: ignore[arg-type]
        socket_factory=partial(_checked_socket, policy),
    )
    return aiohttp.ClientSession(
        connector=connector, trace_configs=[traces], trust_env=False, **{**options, "loop": None}
    )


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
