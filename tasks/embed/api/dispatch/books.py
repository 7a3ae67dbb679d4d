"""Opens the database in which processes share one account."""

import logging
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from tasks.database.address import sqlite_path
from tasks.database.database import Database
from tasks.embed.api.dispatch.tables import BUDGET
from tasks.errors import ConfigError, ServiceError

SCHEMA = "headrace_budget"
_log = logging.getLogger("headrace")


def open_books(url: str) -> Database:
    """Made where it is missing. A damaged file is set aside: it holds a day's sums, and no run should end for it."""
    path = sqlite_path(url)
    if path is not None:
        _set_aside_if_damaged(path)
    try:
        return Database(url, BUDGET, SCHEMA)
    except (ConfigError, ServiceError) as error:
        if path is None or not isinstance(error.__cause__, OSError | sqlite3.Error):
            raise
        raise ConfigError(
            f"{error}; in it runs share limits and money: set embedder.budget to a place that can be written, such as"
            " sqlite:///./budget.db"
        ) from error


def _set_aside_if_damaged(path: Path) -> None:
    before = _inode(path)
    if before is None or not _is_damaged(path) or _inode(path) != before:  # or another process has just done it
        return
    aside = path.with_name(f"{path.name}.damaged-{datetime.now().astimezone():%Y%m%dT%H%M%S}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(f"{aside}{suffix}")
    _log.warning("%s is damaged, and was set aside as %s: what was spent today counts from zero", path, aside.name)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:  # not there, or not to be seen: opening it says more
        return None


def _is_damaged(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]
    except sqlite3.OperationalError:  # locked, or not to be opened
        return False
    except sqlite3.DatabaseError:
        return True
