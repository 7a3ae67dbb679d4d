"""SQLite through Python's own driver: one file on one machine, every commit durable."""

import errno
import os
import re
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tasks.database.connection import PARAMETERS_PER_QUERY, Rows
from tasks.errors import ServiceError
from tasks.slices import slices
from tasks.system.file_system import keep_private, may_write, user_state

BUSY_SECONDS = 30.0
PAGE_BYTES = 8192  # of a new file: two vectors of 768 dimensions a page, and a shallow tree of ids
CACHE_KIB = 32_768
LOG_PAGES = 4000  # the log is folded in at 32 MB: each folding writes and syncs every page that was touched
OUR_FOLDER = ".headrace"  # where state is kept by default
_VALUES = re.compile(r"VALUES (\([^()]*\))(?=[^?]*$)")
_PRAGMAS = ("foreign_keys=ON", "temp_store=MEMORY", f"cache_size=-{CACHE_KIB}")
_WRITING_PRAGMAS = (
    f"page_size={PAGE_BYTES}",
    "journal_mode=WAL",
    # FULL: with NORMAL a power cut may take back commits that the store has already acted upon.
    "synchronous=FULL",
    f"wal_autocheckpoint={LOG_PAGES}",
    *_PRAGMAS,
)


class SqliteConnection:
    """`driver` is the driver's own connection."""

    begin = "BEGIN IMMEDIATE"  # takes the write lock at once: upgrading later could fail in the middle
    binary = "BLOB"
    by_key = " WITHOUT ROWID"
    for_update = ""  # writers are alone anyway

    def __init__(self, driver: sqlite3.Connection) -> None:
        """The connection is in autocommit mode."""
        self.driver = driver

    def execute(self, sql: str, values: Sequence[Any], /) -> Rows:
        """One statement."""
        cursor = self.driver.execute(sql, values)
        return Rows(cursor.fetchall(), cursor.rowcount)

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]], /) -> None:
        """The statement once per row of parameters; many rows a statement where it is an INSERT.

        Python's one running thread is given away with every statement, and beside busy threads it is long in coming
        back.
        """
        size = PARAMETERS_PER_QUERY // len(rows[0])
        if len(rows) >= size and (values := _VALUES.search(sql)):
            whole = len(rows) - len(rows) % size
            large = f"{sql[: values.end()]}{f', {values[1]}' * (size - 1)}{sql[values.end() :]}"
            parts = slices(rows[:whole], size)
            self.driver.executemany(large, (list(chain.from_iterable(part)) for part in parts))
            rows = rows[whole:]
        self.driver.executemany(sql, rows)

    def rollback(self) -> None:
        """Some errors, a full disk for one, end a transaction by themselves."""
        self.driver.rollback()

    def columns(self) -> set[tuple[str, str, bool]]:
        """(table, column, whether it belongs to the key) of all that there is."""
        sql = "SELECT found.name, held.name, held.pk > 0 FROM sqlite_master found"
        rows = self.driver.execute(f"{sql} JOIN pragma_table_info(found.name) held WHERE found.type = 'table'")
        return {(table, column, bool(in_key)) for table, column, in_key in rows}

    def names(self) -> set[str]:
        """The names of all tables and indexes that there are."""
        return {name for (name,) in self.driver.execute("SELECT name FROM sqlite_master")}

    def prepare(self) -> None:
        """Nothing: the transaction has the write lock."""


class SqliteConnections:
    """A connection is used by one thread at a time; a database in memory has a single one, which all share."""

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        """Create file and folder where they are missing; None is a database in memory.

        `read_only`: a file that this account may not write is opened all the same.
        """
        self._path = path
        self._idle: list[SqliteConnection] = []
        self._shared: SqliteConnection | None = None
        self.is_read_only = read_only and path is not None and not may_write(path, path.parent)
        if path and self.is_read_only:
            _check(path, os.R_OK)
        elif path:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Before SQLite makes it with the common mode: it holds paths, and vectors tell of their texts.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            _check(path, os.R_OK | os.W_OK)
            _keep_private(path)
        else:
            self._shared = self._connected()
        self._turn = threading.RLock()  # of the shared one: it has one transaction at a time

    @contextmanager
    def open(self) -> Generator[SqliteConnection, None, None]:
        """Connections that are idle are used again."""
        if self._shared:
            with self._turn:
                yield self._shared
            return
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connected()
        try:
            yield connection
        finally:
            connection.rollback()
            self._idle.append(connection)

    def close(self) -> None:
        """SQLite's log is folded into the file by the last connection."""
        while self._idle:
            self._idle.pop().driver.close()
        if self._shared:
            self._shared.driver.close()

    def _connected(self) -> SqliteConnection:
        if self._path and self.is_read_only:
            return _reading(self._path)
        return _connection(self._path or ":memory:", _WRITING_PRAGMAS)


def _check(path: Path, mode: int) -> None:
    """SQLite's own error names neither file nor cause.

    Not by opening it: whoever closes a file lets go of all locks that this process has on it, and another process that
    ends would then delete the log under the connections that are open here.
    """
    code = 0
    if path.is_dir():
        code = errno.EISDIR
    elif not os.access(path, mode):
        is_sealed = mode & os.W_OK and os.statvfs(path).f_flag & os.ST_RDONLY
        code = errno.EROFS if is_sealed else errno.EACCES if os.path.lexists(path) else errno.ENOENT
    if code:
        raise OSError(code, os.strerror(code), str(path))


def _reading(path: Path) -> SqliteConnection:
    """SQLite reads beside a log, and a writer, where the log has its `-shm`; without a log, as if nobody ever wrote."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    log = path.with_name(path.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return _connection(f"{address}&immutable=1", _PRAGMAS)
    if not path.with_name(path.name + "-shm").exists():
        raise ServiceError(
            f"{path}: this account may not write here, and what {log.name} holds cannot be read without a file"
            f" {path.name}-shm; copy the folder to where you may write, and name the copy"
        )
    return _connection(address, _PRAGMAS)


def _connection(address: Path | str, pragmas: Sequence[str]) -> SqliteConnection:
    driver = sqlite3.connect(
        address,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=str(address).startswith("file:"),
    )
    try:
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}")
    except BaseException:
        driver.close()
        raise
    return SqliteConnection(driver)


def _keep_private(path: Path) -> None:
    """Also what an earlier version made; the folder only where it is ours, and not one that somebody chose."""
    path = path.resolve()
    for suffix in ("", "-wal", "-shm"):
        keep_private(path.with_name(path.name + suffix))
    if path.parent.name == OUR_FOLDER or path.parent == user_state().resolve():
        keep_private(path.parent)
