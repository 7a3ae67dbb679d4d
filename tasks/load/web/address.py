"""URLs of pages in one spelling each, and the documents that they are."""

import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tasks.load.web.address_guard import WEB

LONGEST = 2_000  # characters; browsers and servers stop there
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_INDEX = re.compile(r"(?:/|/index\.(?:html?|php|aspx?))?", re.IGNORECASE)


def spelled(url: str) -> str:
    """The URL without its fragment and its default port, host in lower case, each escape as short as it can be.

    "" for what is no address of the web, or too long.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""
    if parts.scheme not in WEB or not host or port == 0 or "@" in parts.netloc or len(url) > LONGEST:
        return ""
    if ":" in host:
        host = f"[{host}]"
    place = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path = _without_dots(_escaped(parts.path, "/%:@!$&'()*+,;=") or "/")
    return urlunsplit((parts.scheme, place, path, _escaped(parts.query, "/%:@!$&'()*+,;=?"), ""))


def place_of(url: str) -> str:
    """Host and port."""
    return urlsplit(url).netloc


def is_same_site(place: str, other: str) -> bool:
    """Whether they are one host and port, with or without www."""
    return place.removeprefix("www.") == other.removeprefix("www.")


def path_of(url: str, place: str) -> str:
    """The document's path: that of the URL with its query, behind the whole address where it stands elsewhere."""
    parts = urlsplit(url)
    if not is_same_site(parts.netloc, place):
        return url
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def bare(url: str) -> str:
    """The URL without what servers add to the name of a folder: a slash, or the name of its first page."""
    parts = urlsplit(url)
    start, slash, name = parts.path.rpartition("/")
    path = start if _INDEX.fullmatch(slash + name) else parts.path
    return urlunsplit((*parts[:2], path.rstrip("/"), *parts[3:]))


def _escaped(text: str, safe: str) -> str:
    return quote(_ESCAPE.sub(_shortest, text), safe=safe)


def _shortest(match: re.Match[str]) -> str:
    character = unquote(match[0])
    return character if character in _UNRESERVED else match[0].upper()


def _without_dots(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/")[1:]:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    ends = path.endswith(("/.", "/.."))
    return "/" + "/".join([*parts, ""] if ends and parts else parts)
