"""What the server, its client and the network say, and what it means to the user."""

import json
from collections.abc import Generator
from contextlib import contextmanager, suppress

import httpx
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from tasks.errors import CollectionError, ConfigError, HeadraceError, NoCollectionError, ServiceError, TransientError
from tasks.retry import not_negative
from tasks.system.proxies import by_way_of

OLDEST = (1, 10)  # the first version with the interface that searches ask


class ExistsError(ServiceError):
    """Somebody else was quicker to make the collection."""


class UnindexedError(ConfigError):
    """The server filters by indexed fields alone, and this one is not indexed."""


class TooManyError(ConfigError):
    """The server's strict mode gives fewer records at once."""


_NO_SERVER = "no Qdrant server of version 1.10 or newer answers there; check `url` under `store`"
_FOREIGN = "the collection is not one of Headrace's; name another `collection` under `store`"
_LONGEST_SHOWN = 300
# The limits that an administrator, or Qdrant Cloud, gives a collection; 400, and 403 from older servers.
_STRICT_MODE: tuple[tuple[str, str, type[HeadraceError], str], ...] = (
    (
        "4",
        "Index required",
        UnindexedError,
        "the server filters by indexed fields alone; name this one in `filter_fields` under `store`, then sync",
    ),
    (
        "4",
        'for "limit"',
        TooManyError,
        "ask for fewer results, or raise max_query_limit in the collection's strict mode",
    ),
    ("4", 'for "upsert limit"', TransientError, "the limit is new: run again"),
    ("4", 'for "oversampling"', ConfigError, "raise search_max_oversampling in its strict mode, or use float16"),
    ("4", "ondition limit reached", ConfigError, "name fewer values in the filters"),
    ("4", "ondition size limit reached", ConfigError, "name shorter values in the filters"),
    ("4", "limit of", ServiceError, "the collection's quota is reached: raise it in its strict mode, or keep less"),
    ("4", "esident memory", ServiceError, "the server's memory is used up to its limit: give it more, or keep less"),
    ("4", "Help:", ConfigError, "the collection's strict mode forbids that: change it, or what is asked"),
    ("429", "larger than", ServiceError, "raise write_rate_limit in the collection's strict mode above 500"),
)
# By the beginning of the status, and words of the answer.
_BY_ANSWER: tuple[tuple[str, str, type[HeadraceError], str], ...] = (
    ("", "No space left", ServiceError, "the server's disk is full; free some space and run again: no record is lost"),
    ("", "already exists", ExistsError, "run again"),
    *_STRICT_MODE,
    ("401", "", ConfigError, "the server wants a key, or another one: `api_key: ${NAME}` under `store`"),
    ("403", "", ConfigError, "the key is wrong or may not do that; check `api_key` under `store`, and what it is for"),
    ("404", "doesn't exist", NoCollectionError, "there is no collection yet, or it was dropped; run sync"),
    ("404", "No point with id", TransientError, "somebody made the collection anew meanwhile: run again"),
    ("404", "", ConfigError, _NO_SERVER),
    ("405", "", ConfigError, _NO_SERVER),
    ("3", "", ConfigError, "this is a redirection; name the address it leads to as `url` under `store`"),
    ("408", "", TransientError, "the server took too long; run again"),
    ("413", "", ServiceError, "make the chunks smaller, or raise max_request_size_mb in the server's settings"),
    ("429", "", TransientError, "the server limits how often it is asked; run again later"),
    ("4", "imension error", CollectionError, "the collection was made for another model; name a new `collection`"),
    ("4", "vector name", CollectionError, _FOREIGN),
    ("5", "", TransientError, "the server is not well, or is starting; run again"),
)
# The first that fits; the words are the operating system's.
_BY_CAUSE: tuple[tuple[type[Exception], str, type[HeadraceError], str], ...] = (
    (httpx.TimeoutException, "", TransientError, "is the server up, and does a firewall let this machine through?"),
    (httpx.ConnectError, "Name or service not known", ConfigError, "check the host in `url` under `store`"),
    (httpx.ConnectError, "No address associated", ConfigError, "check the host in `url` under `store`"),
    (httpx.ConnectError, "CERTIFICATE_VERIFY", ConfigError, "the server's certificate is not to be trusted; mend that"),
    (httpx.ConnectError, "SSL", ConfigError, "does the server speak https? Check `url` under `store`"),
    (httpx.TransportError, "", TransientError, "is the server up, and the address right?"),
    (json.JSONDecodeError, "", ConfigError, _NO_SERVER),
    (UnicodeDecodeError, "", ConfigError, _NO_SERVER),
    (
        Exception,
        "",
        ServiceError,
        "the answer is not as qdrant-client expects it; is the server of a much newer version?",
    ),
)


@contextmanager
def translated(name: str, key: str) -> Generator[None]:
    """The client's errors that leave the block are ours; `key` shows in none of them."""
    try:
        yield
    except (ApiException, QdrantException, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise translate(error, name, key) from error


def translate(error: Exception, name: str, key: str = "") -> HeadraceError:
    """Our error, by the status of the answer, else by what kept it from coming."""
    if isinstance(error, UnexpectedResponse):
        text = _shown(f"{error.status_code} {_said(error.content)}", key)
        kind, remedy = _answered(str(error.status_code), text)
        return kind(f"{name}: {text}; {remedy}")
    if isinstance(error, QdrantException):  # 429 with a wish, which is in seconds or unreadable
        text = _shown(f"429 {error}", key)
        kind, remedy = _answered("429", text)
        said = f"{name}: {text}; {remedy}"
        wished = not_negative(str(getattr(error, "retry_after_s", "")))
        return TransientError(said, wished) if kind is TransientError else kind(said)
    cause = error.source if isinstance(error, ResponseHandlingException) else error
    text = _shown(str(cause) or type(cause).__name__, key)
    found = next(
        (kind, remedy) for known, words, kind, remedy in _BY_CAUSE if isinstance(cause, known) and words in text
    )
    return found[0](f"{name}: {text}; {found[1]}{by_way_of() if isinstance(cause, httpx.TransportError) else ''}")


def _answered(status: str, text: str) -> tuple[type[HeadraceError], str]:
    for beginning, words, kind, remedy in _BY_ANSWER:
        if status.startswith(beginning) and words in text:
            return kind, remedy
    return ServiceError, "check the server's version and its log"


def _said(content: bytes) -> str:
    """The server's own words, else what came in their place."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(content)["status"]["error"])
    return content.decode(errors="replace")


def _shown(text: str, key: str) -> str:
    line = " ".join(text.split())
    if key:
        line = line.replace(key, "…")
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"
