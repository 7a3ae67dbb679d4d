"""A lock between machines: PostgreSQL frees it when the connection of its holder ends."""

import hashlib
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

from tasks.database.database import Database, Transaction

POLL_SECONDS = 0.5


@contextmanager
def advisory_lock(database: Database, wait_seconds: float) -> Generator[bool, None, None]:
    """Yields whether the lock is held; one lock for each schema."""
    key = int.from_bytes(hashlib.sha256(f"headrace/{database.schema}".encode()).digest()[:8], signed=True)
    deadline = time.monotonic() + wait_seconds
    with database.session() as session:
        while not (is_held := _try(session, key)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        try:
            yield is_held
        finally:
            if is_held:
                _unlock(session, key)


def _unlock(session: Transaction, key: int) -> None:
    """A connection that was cut has given the lock back: no reason for a run to fail that has done all its work."""
    from sqlalchemy.exc import DBAPIError

    with suppress(DBAPIError):
        session.execute("SELECT pg_advisory_unlock(?)", (key,))


def _try(session: Transaction, key: int) -> bool:
    return bool(session.execute("SELECT pg_try_advisory_lock(?)", (key,)).scalar())
