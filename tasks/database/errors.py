"""What SQLAlchemy and the file system say, and what it means to the user."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tasks.errors import HeadraceError, ServiceError, TransientError

_TRANSIENT = (
    "locked",
    "busy",
    "deadlock",
    "starting up",
    "shutting down",
    "too many clients",
    "terminating connection",
)


@contextmanager
def translated(name: str) -> Generator[None, None, None]:
    """Our own errors pass; `name` is the database's file or URL, without its password."""
    try:
        yield
    except HeadraceError:
        raise
    except DBAPIError as error:
        raise _meaning(name, error) from error
    except PoolTimeoutError as error:
        raise TransientError(f"{name}: no connection became free: {error}") from error
    except SQLAlchemyError as error:
        raise ServiceError(f"{name}: {error}") from error
    except OSError as error:
        if error.filename is None:
            raise
        raise ServiceError(f"cannot open {name}: {error.filename}: {error.strerror}; choose another place") from error


def _meaning(name: str, error: DBAPIError) -> HeadraceError:
    text = " ".join(str(error.orig).split())
    if error.connection_invalidated or any(words in text for words in _TRANSIENT):
        return TransientError(f"{name}: {text}; another process may be using it: run again")
    if "disk is full" in text or "No space left" in text:
        return ServiceError(f"{name}: {text}; free some space and run again: nothing that was committed is lost")
    return ServiceError(f"{name}: {text}; check the address, disk space, permissions and the database's health")
