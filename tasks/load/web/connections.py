"""Connections to web servers that are checked before anything is sent: each name, each address, each redirect."""

import socket
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin, urlsplit

from tasks.load.web.address_guard import WEB, AddressPolicy, ForbiddenAddressError

REDIRECTS = 5


def web_options(policy: AddressPolicy) -> dict[str, Any]:
    """Storage options for fsspec's http and https; an instance of its own, for the policy is the source's."""
    return {
        "get_client": partial(_client, policy),
        "max_redirects": REDIRECTS + 1,  # aiohttp counts the answer after the last redirect as well
        "skip_instance_cache": True,
    }


def check_hop(url: str) -> None:
    """Raise ForbiddenAddressError for a redirect out of the web, or with a user's name."""
    parts = urlsplit(url)
    if parts.scheme not in WEB:
        raise ForbiddenAddressError(f"a redirect leads to {parts.scheme}://, expected http:// or https://; exclude it")
    if "@" in parts.netloc:
        raise ForbiddenAddressError(f"a redirect to {parts.hostname} brings a user name along; exclude it")


async def _client(policy: AddressPolicy, loop: object = None, **options: Any) -> Any:
    """A session that only connects where the policy allows; without proxies, which would connect for it.

    `loop` is what fsspec passes along, and what aiohttp no longer takes.
    """
    import aiohttp

    async def check_redirect(_session: Any, _context: SimpleNamespace, hop: Any) -> None:
        check_hop(urljoin(str(hop.url), hop.response.headers.get("Location", "")))

    traces = aiohttp.TraceConfig()
    traces.on_request_redirect.append(check_redirect)
    resolver: Any = CheckedResolver(policy, aiohttp.ThreadedResolver())
    connector = aiohttp.TCPConnector(resolver=resolver, socket_factory=resolver.socket)
    return aiohttp.ClientSession(
        connector=connector,
        trace_configs=[traces],
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        **options,
    )


class CheckedResolver:
    """Refuses a name if any of its addresses is forbidden; what it answered is what is connected to."""

    def __init__(self, policy: AddressPolicy, resolver: Any) -> None:
        """`resolver` is asked for the addresses."""
        self._policy = policy
        self._resolver = resolver
        self._checked: set[tuple[str, int]] = set()

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> Any:
        """The name's addresses, all of them allowed."""
        answers = await self._resolver.resolve(host, port, socket.AddressFamily(family))
        for answer in answers:
            self._policy.check(host, str(answer["host"]), port)
        self._checked.update((str(answer["host"]), port) for answer in answers)
        return answers

    async def close(self) -> None:
        """Close the resolver inside."""
        await self._resolver.close()

    def socket(self, target: Any) -> socket.socket:
        """The last look before a connection, for addresses that stood in the URL and were never resolved."""
        family, kind, protocol, _, address = target
        host, port = str(address[0]), int(address[1])
        if (host, port) not in self._checked:
            self._policy.check(host, host, port)
        return socket.socket(family=family, type=kind, proto=protocol)
