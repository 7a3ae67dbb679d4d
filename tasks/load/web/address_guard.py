"""Which network addresses a web source may lead to: a URL, a redirect or a DNS answer may point at anything."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tasks.errors import ConfigError, DocumentError

WEB = ("http", "https")
WEB_PORTS = frozenset({80, 443})

# `is_global` calls these public, although each leads to other addresses, private ones among them: NAT64, 6to4 and
# Teredo hold an IPv4 address inside, and 192.0.0.0/24 is where clouds keep their metadata.
_TUNNELS = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.0.0.0/24")
)


class ForbiddenAddressError(DocumentError):
    """Nothing was sent to the address."""

    def __init__(self, message: str) -> None:
        """One class for all of them."""
        super().__init__("forbidden-address", message)


def is_public(address: str) -> bool:
    """Whether it can only be a machine on the open internet; what is no IP address is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    ip = mapped or parsed
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _TUNNELS)


def is_any(_address: str) -> bool:
    """True: every address will do."""
    return True


@dataclass(frozen=True)
class AddressPolicy:
    """`ports` None allows all."""

    source: str
    allows: Callable[[str], bool] = is_public
    ports: frozenset[int] | None = WEB_PORTS

    def check(self, host: str, address: str, port: int) -> None:
        """Raise ForbiddenAddressError, before a connection is made."""
        if self.ports is not None and port not in self.ports:
            raise ForbiddenAddressError(
                f"{host} is asked for on port {port}, expected one of {sorted(self.ports)}; {self._remedy}"
            )
        if not self.allows(address):
            where = address if host == address else f"{host} has the address {address}, which"
            raise ForbiddenAddressError(f"{where} is not on the public internet; {self._remedy}")

    @property
    def _remedy(self) -> str:
        return f"if this is wanted, set `private_network: true` for source {self.source!r}"


def policy_for(source: str, *, private_network: bool) -> AddressPolicy:
    """The policy that the setting `private_network` means."""
    return AddressPolicy(source, is_any, None) if private_network else AddressPolicy(source)


def links_of(url: str) -> list[str]:
    """The URLs of a chain such as `zip://a.md::https://host/b.zip`; colons of an IPv6 address are no chain."""
    return re.split(r"::(?=\w+://)", url)


def check_web_url(url: str) -> None:
    """Raise ConfigError for credentials in the URL: they would stand in every message, and in every document's id."""
    parts = urlsplit(url)
    if parts.scheme in WEB and "@" in parts.netloc:
        raise ConfigError(
            f"the URL for {parts.hostname} holds a user name or password; expected none, for it would be stored with"
            " every document; take it out"
        )
