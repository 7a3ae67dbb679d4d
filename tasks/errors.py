"""The errors Headrace raises. Callers ask the family, never a list of class names.

HeadraceError
├── ConfigError           the user must change a setting or an argument
│   ├── MissingExtraError … or install an optional dependency
│   ├── UnindexedError    … or have the server index a field that is filtered by
│   └── TooManyError      … or ask for fewer results; a store's own likewise
├── LockedError           somebody else has it: a folder, or what follows
│   └── LeaseHeldError    another run works on this pipeline
│       └── FencedError   … and has overtaken this one
├── BudgetError           the money limit would be passed
├── CollectionError       the collection does not fit: other vector space, foreign lineage
├── NoTextIndexError      the store cannot look for words; seen by a search, which then asks by vectors alone
│   └── MissingTextIndexError  it could, and this collection lacks the index; verify finds it, a sync makes it
├── TransientError        trying again may help: time-out, 429, 503, a locked file
│   └── OutageError       a provider is not well, or cannot be reached
├── DocumentError         this document cannot be used: set it aside, go on with the others
│   └── ForbiddenAddressError  … for it leads to an address that is not allowed
├── ServiceError          a provider, store or disk failed for good: stop the run
│   ├── NoCollectionError … there is no collection yet; who only reads takes that for an empty one
│   ├── ExistsError       … another writer has just made it; a store's own likewise
│   └── DamagedWordsError an index of words cannot be read; the next sync makes it anew
├── IncompleteRunError    a run ended in order, and did not do everything
├── RateLimitedError      a provider's limit; the dispatcher alone sees it, and sends again, so it is not transient
├── MalformedError        a provider's answer does not fit the question; seen by the dispatcher alone
├── TooLargeError         … takes the texts in smaller requests only; likewise
└── RefusedError          … does not take this content; likewise

Message form: what failed, with the value; what was expected; what to do.
"""

from collections.abc import Mapping
from typing import Any

from config.errors import ConfigError, HeadraceError


def keep_report(error: BaseException, report: Mapping[str, Any]) -> None:
    """Keep what a run had done beside the error that ended it."""
    vars(error)["report"] = report


def kept_report(error: BaseException) -> Mapping[str, Any]:
    """What was kept; empty where no run had begun."""
    report: Mapping[str, Any] = vars(error).get("report", {})
    return report


class MissingExtraError(ConfigError):
    """A backend needs a package that is not installed; the message is the pip command."""

    def __init__(self, backend: str, extra: str) -> None:
        """`extra` is the name in pyproject's optional dependencies."""
        super().__init__(f"{backend!r} needs an optional dependency: pip install -e '.[{extra}]' in Headrace's folder")


class LockedError(HeadraceError):
    """The message says who has it."""

    exit_code = 3


class LeaseHeldError(LockedError):
    """The message says who holds the lease."""


class FencedError(LeaseHeldError):
    """A newer run took the lease; nothing was committed after that moment."""


class BudgetError(HeadraceError):
    """Raised before the limit is passed; everything already paid is kept."""

    exit_code = 4


class CollectionError(HeadraceError):
    """Going on would mix vector spaces or touch records of somebody else."""

    exit_code = 5


class TransientError(HeadraceError):
    """`retry_after_seconds` is the service's own wish, None when it said nothing."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        """Keep the wish beside the message."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DocumentError(HeadraceError):
    """`reason` is a short class name such as 'undecodable' or 'too-large', for counting."""

    exit_code = 1

    def __init__(self, reason: str, message: str) -> None:
        """Keep the class beside the message."""
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:
        """Both travel where the error comes from another process."""
        return type(self), (self.reason, str(self)), self.__dict__


class ServiceError(HeadraceError):
    """Retrying was tried or is pointless, and no single document is to blame."""


class NoTextIndexError(HeadraceError):
    """The store cannot look for words: it has no text index at all, or this collection has none yet."""

    exit_code = 2


class MissingTextIndexError(NoTextIndexError):
    """The store could look for words, and this collection has no index of them yet, or has lost it."""


class NoCollectionError(ServiceError):
    """A store's collection is missing: the stores themselves take that for an empty one where they only read."""


__all__ = [
    "BudgetError",
    "CollectionError",
    "ConfigError",
    "DocumentError",
    "FencedError",
    "HeadraceError",
    "LeaseHeldError",
    "LockedError",
    "MissingExtraError",
    "NoCollectionError",
    "ServiceError",
    "TransientError",
]
