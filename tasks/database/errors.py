"""What a database and the file system say, and what it means to the user."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError
from tasks.system.scarcity import scarcity

_TRANSIENT = ("locked", "busy", "deadlock")
_DAMAGED = ("not a database", "malformed", "unsupported file format")


@contextmanager
def translated(name: str) -> Generator[None, None, None]:
    """Our own errors pass; `name` is the database's file or URL, without its password."""
    try:
        yield
    except sqlite3.Error as error:
        raise meaning(name, str(error)) from error
    except OSError as error:
        if error.filename is None:
            raise
        place = "" if str(error.filename) == name else f"{error.filename}: "
        what = f"cannot open {name}: {place}{error.strerror}"
        if isinstance(error, PermissionError):
            raise ConfigError(
                f"{what}; what Headrace keeps is for the account that owns it alone: run as that account, read a copy"
                " of the folder, or name another place"
            ) from error
        raise ServiceError(f"{what}; choose another place") from error


def meaning(name: str, words: str) -> HeadraceError:
    """Our error for one of the database, by its words."""
    text = " ".join(words.split())
    if any(said in text for said in _TRANSIENT):
        return TransientError(f"{name}: {text}; another process may be using it: run again")
    if "disk I/O error" in text:
        return ServiceError(f"{name}: {text}; most likely the disk is full: free some space, or check its health")
    if "disk is full" in text or "No space left" in text:
        return ServiceError(f"{name}: {text}; free some space and run again: nothing that was committed is lost")
    if any(said in text for said in _DAMAGED):
        return ServiceError(
            f"{name}: {text}; the file is damaged: restore it, or move it away and run sync, which makes a ledger again"
            " from the collection, and embeds again what a cache lacks"
        )
    remedy = scarcity(text) or "check the address, disk space, permissions and the database's health"
    return ServiceError(f"{name}: {text}; {remedy}")
