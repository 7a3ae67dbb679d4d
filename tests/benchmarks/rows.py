"""A million rows of a table in SQLite: what listing them takes with a version and without, and its memory."""

import gc
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from config.sources import SqlSource
from tasks.load.sql.source import SqlRows
from tests.benchmarks.harness import Gate, Measurement

ROWS = 1_000_000
READ = 20_000
BODY = "some words of a body " * 30


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.db"
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, title, body, changed)")
        stamp = "2026-01-01 00:00:{:02}".format
        rows = ((number, f"Title {number}", f"{BODY}{number}", stamp(number % 60)) for number in range(ROWS))
        connection.executemany("INSERT INTO pages VALUES (?, ?, ?, ?)", rows)
        connection.commit()
        raw = _seconds(lambda: sum(1 for _ in connection.execute("SELECT id, changed FROM pages")))
        connection.close()
        for version in ("changed", None):
            yield from _listed(path, version, raw)


def _listed(path: Path, version: str | None, raw: float) -> Iterator[Measurement]:
    query = "SELECT id, title, body, changed FROM pages"
    given = {"kind": "sql", "url": f"sqlite:///{path}", "query": query, "id": "id", "text": ["title", "body"]}
    source = SqlRows(SqlSource.model_validate({**given, "version": version}))
    gc.collect()
    before = _kilobytes()
    started = time.process_time()
    listing = source.list()
    seconds = time.process_time() - started
    size = (_kilobytes() - before) / 1024
    started = time.process_time()
    for ref in listing.refs[:READ]:
        source.read(ref)
    reading = time.process_time() - started
    refs = sum(sys.getsizeof(part) for ref in listing.refs for part in (ref, ref.id, ref.path, ref.hint)) / 2**20
    name = "with a version" if version else "by content"
    detail = f"the driver alone {raw:.1f} s; process time"
    yield Measurement(f"rows, a million listed {name}", seconds, "s", Gate(10, None, True) if version else None, detail)
    held = f"of {size:,.0f} MB in all; {refs:,.0f} MB are the listing that every source makes"
    yield Measurement(f"rows, memory beside the listing, {name}", size - refs, "MB", Gate(300, None, True), held)
    yield Measurement(f"rows, read {name}", READ / reading / 1000, "k/s", None, "batches of 500 by their ids")


def _seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def _kilobytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
