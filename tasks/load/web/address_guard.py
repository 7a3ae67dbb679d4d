"""Which network addresses a web source may lead to: a URL, a redirect or a DNS answer may point at anything."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from tasks.errors import ConfigError, DocumentError

WEB = ("http", "https")
WEB_PORTS = frozenset({80, 443})
Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNICAST = ip_network("2000::/3")  # all that is routed of IPv6
# `is_global` calls these public: tunnels hold another address inside, and the others are no web servers'.
_NEVER_PUBLIC = tuple(
    ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
# Where clouds hand out keys to whoever asks: opened by their own address alone.
_METADATA = tuple(
    ip_network(network)
    for network in (
        *("169.254.0.0/16", "168.63.129.16", "100.100.100.200", "192.0.0.192"),
        *("fe80::/10", "fd00:ec2::/32", "fd20:ce::/32"),
    )
)
_HOLDS_IPV4 = tuple(ip_network(network) for network in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))


class ForbiddenAddressError(DocumentError):
    """Nothing was sent to the address."""

    def __init__(self, message: str) -> None:
        """One class for all of them."""
        super().__init__("forbidden-address", message)


def is_public(address: str) -> bool:
    """Whether it can only be a machine on the open internet; what is no IP address is not."""
    ip = _parsed(address)
    if ip is None or not ip.is_global or ip.is_multicast or any(ip in network for network in _NEVER_PUBLIC):
        return False
    return ip in _UNICAST or ip.version == 4


@dataclass(frozen=True)
class Opening:
    """A host or a network that may be reached although it is private; `port` None opens all of its ports."""

    host: str
    network: Network | None
    port: int | None

    def allows(self, host: str, address: Ip | None, port: int) -> bool:
        """Whether it names this; a cloud's metadata only where it names that very address."""
        if self.port not in (None, port) or address is None:
            return False
        is_metadata = any(ip in network for ip in _within(address) for network in _METADATA)
        if self.network is None:
            return host.rstrip(".").lower() == self.host and not is_metadata
        return address in self.network and (self.network.num_addresses == 1 or not is_metadata)


@dataclass(frozen=True)
class AddressPolicy:
    """The open internet on the web's ports, and what `openings` name."""

    source: str
    openings: tuple[Opening, ...] = ()

    def check(self, host: str, address: str, port: int) -> None:
        """Raise ForbiddenAddressError, before a connection is made."""
        if any(opening.allows(host, _parsed(address), port) for opening in self.openings):
            return
        shown = f"[{host}]" if ":" in host else host
        remedy = f"if this is wanted, set `private_network: ['{shown}:{port}']` for source {self.source!r}"
        if not is_public(address):
            where = address if host == address else f"{host} has the address {address}, which"
            raise ForbiddenAddressError(f"{where} is not on the public internet; {remedy}")
        if port not in WEB_PORTS:
            raise ForbiddenAddressError(
                f"{host} is asked for on port {port}, expected one of {sorted(WEB_PORTS)}; {remedy}"
            )


def policy_for(source: str, private_network: bool | Sequence[str], urls: Sequence[str]) -> AddressPolicy:
    """The policy that the setting `private_network` means: True opens the hosts of the configured URLs, on their ports.

    ConfigError for a name in it that is neither an address, a network nor a host.
    """
    if isinstance(private_network, bool):
        named = [_opening_of_url(url, source) for url in urls if private_network]
    else:
        named = [_opening(name, source) for name in private_network]
    return AddressPolicy(source, tuple(named))


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


def _parsed(address: str) -> Ip | None:
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


def _within(ip: Ip) -> list[Ip]:
    """The address, and those that a tunnel would make of it."""
    if isinstance(ip, IPv4Address):
        return [ip]
    inner = [IPv4Address(int(ip) & 0xFFFFFFFF)] if any(ip in network for network in _HOLDS_IPV4) else []
    return [ip, *inner, *filter(None, [ip.sixtofour, *(ip.teredo or ())])]


def _opening_of_url(url: str, source: str) -> Opening:
    parts = urlsplit(url)
    opening = _opening(parts.netloc, source)
    return opening if opening.port else replace(opening, port=443 if parts.scheme == "https" else 80)


def _opening(name: str, source: str) -> Opening:
    """A network, an address or a host, with or without a port."""
    if _parsed(name) is not None:
        return _host_opening(name, None)
    with suppress(ValueError):
        return Opening("", ip_network(name, strict=False), None)
    with suppress(ValueError):
        parts = urlsplit(f"//{name}")
        if parts.hostname and parts.netloc == name and "@" not in name and name.isprintable() and " " not in name:
            return _host_opening(parts.hostname, parts.port)
    raise ConfigError(
        f"private_network of source {source!r} names {name!r}; expected true, or a list of networks, addresses and"
        " hosts, such as ['10.0.0.0/8', '[fd00::1]:8080', 'wiki.internal']"
    )


def _host_opening(host: str, port: int | None) -> Opening:
    ip = _parsed(host)
    return Opening(host.rstrip(".").lower(), None if ip is None else ip_network(ip), port)
