"""What Chroma's server, or whatever stands before it, answers, and what it means to the user."""

import json

from tasks.errors import CollectionError, ConfigError, HeadraceError, NoCollectionError, ServiceError, TransientError
from tasks.system.scarcity import scarcity

_LONGEST = 300  # characters of a foreign text in a message


_BY_WORDS: tuple[tuple[str, type[HeadraceError], str], ...] = (
    ("QuotaError", ServiceError, "a quota of the account is used up or too small for this; raise it and run again"),
    (
        "expecting embedding with dimension",
        CollectionError,
        "the collection was made for another model; name a new `collection` under `store`",
    ),
    ("Database [", ConfigError, "make the database, or correct `database` and `tenant` under `store`"),
    ("VersionMismatch", ServiceError, "Headrace speaks Chroma's API v2; use a server of version 1.5 or newer"),
    ("No space left", ServiceError, "the server's disk is full; free some space and run again"),
    ("disk is full", ServiceError, "the server's disk is full; free some space and run again"),
    ("readonly database", ServiceError, "the server may not write to its folder; check the folder's owner and mode"),
)
_BY_STATUS: dict[int, tuple[type[HeadraceError], str]] = {
    401: (ConfigError, "set `token` under `store` to one that the server accepts"),
    403: (ConfigError, "set `token` under `store` to one that may read and write this database"),
    405: (ServiceError, "Headrace speaks Chroma's API v2; is `url` a Chroma server of version 1.5 or newer?"),
    408: (TransientError, "try again"),
    410: (ConfigError, "Headrace speaks Chroma's API v2; name the server itself as `url` under `store`"),
    413: (ServiceError, "raise the server's `max_payload_size_bytes`, or the limit of the proxy before it"),
    422: (ServiceError, "is this a Chroma server of version 1.5 or newer?"),
    429: (TransientError, "the server has too much to do; try again later"),
    502: (TransientError, "the server behind the proxy is not there; try again later"),
    503: (TransientError, "the server is not ready; try again later"),
    504: (TransientError, "the server is slow; try again later"),
}
_DAMAGED = "look into the server's log; a damaged database is restored from a backup, or moved away and synced again"


def refusal(server: str, status: int, text: str, retry_after_seconds: float | None) -> HeadraceError:
    """The error that an answer means, by its words or else its status; `text` must not hold the token."""
    words = _words(text)
    said = f"{server} answered {status}: {words}"
    if status == 404:
        if "NotFoundError" in text:
            return NoCollectionError(
                f"{server} has no collection of this name any more; was it removed? Run sync again"
            )
        return ConfigError(f"{said}; expected a Chroma server of version 1.5 or newer at this address")
    for known, kind, remedy in _BY_WORDS:
        if known in text:
            return kind(f"{said}; {remedy}")
    if 300 <= status < 400:
        return ConfigError(f"{said}; set `url` under `store` to the address that this one leads to")
    kind, remedy = _BY_STATUS.get(
        status, (ServiceError, (scarcity(text) or _DAMAGED) if status >= 500 else "is the server a newer one?")
    )
    if kind is TransientError:
        return TransientError(f"{said}; {remedy}", retry_after_seconds)
    return kind(f"{said}; {remedy}")


def _words(text: str) -> str:
    try:
        answer = json.loads(text)
        text = f"{answer['error']}: {answer['message']}"
    except (ValueError, KeyError, TypeError):
        pass
    line = " ".join(text.split())
    return line[:_LONGEST] or "nothing"
