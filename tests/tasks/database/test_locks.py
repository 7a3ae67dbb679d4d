"""What a process has open keeps others from tidying up under it, however often it opens the same file."""

import subprocess
import sys
from pathlib import Path

from tasks.database.sqlite import SqliteConnections

READ = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT n FROM t').fetchall())"


def elsewhere(path: Path) -> str:
    """Another process reads, and folds the log in if it is the last one."""
    return subprocess.run([sys.executable, "-c", READ, path], check=True, capture_output=True, text=True).stdout.strip()


def test_a_file_that_is_opened_again_loses_nothing_to_whoever_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    first = SqliteConnections(path)
    with first.open() as connection:
        connection.execute("CREATE TABLE t (n)", ())
    SqliteConnections(path).close()
    assert elsewhere(path) == "[]"
    with first.open() as connection:
        connection.execute("INSERT INTO t VALUES (1)", ())
    assert elsewhere(path) == "[(1,)]"
    first.close()
