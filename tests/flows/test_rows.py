"""Rows of a database, of a file and of a function, synced from the command line."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Pipeline

SOURCES = """  - kind: sql
    url: sqlite:///rows.db
    query: SELECT id, title, body, changed FROM pages
    id: id
    text: "# {title}\\n\\n{body}"
    version: changed
    metadata: [changed]
  - kind: table
    path: ./rows.csv
    id: sku
    text: [name]
  - kind: python
    function: rows:documents
embedder:"""


def run_sql(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "rows.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_rows_of_every_kind_are_synced_and_only_what_changed_is_read(pipeline: Pipeline) -> None:
    folder = pipeline.folder
    insert = "INSERT INTO pages VALUES (1, 'A', 'a', 1), (2, 'B', 'b', 1)"
    run_sql(folder, "CREATE TABLE pages (id, title, body, changed)", insert)
    (folder / "rows.csv").write_text("sku,name\n007,Kettle\n")
    (folder / "rows.py").write_text("def documents():\n    yield 'p', 'Page', {'year': 2024}\n")
    pipeline.config.write_text(pipeline.config.read_text().replace("embedder:", SOURCES, 1))
    first = pipeline.sync()
    added = first["documents"]["added"]
    assert {"1", "2", "007", "p"} <= set(pipeline.texts())
    assert pipeline.texts()["1"] == ["# A\n\na"]

    run_sql(folder, "UPDATE pages SET body = 'new', changed = 2 WHERE id = 1", "DELETE FROM pages WHERE id = 2")
    (folder / "rows.csv").write_text("sku,name\n007,Kettle\n007,Pot\n")
    done = pipeline.run("sync", str(pipeline.config), "--json")
    documents = done.json["documents"]
    assert done.code == 1
    assert (documents["changed"], documents["deleted"], documents["quarantined"]) == (1, 1, 1)
    assert documents["unchanged"] == added - 3
    assert "rows.csv:007: 2 rows have this id" in done.out
    assert {"007", "p"} <= set(pipeline.texts())

    (folder / "rows.db").unlink()
    (folder / "rows.py").write_text("def documents():\n    raise OSError('away')\n    yield\n")
    report = pipeline.run("sync", str(pipeline.config), "--json").json
    assert (report["documents"]["deleted"], report["unlisted"], report["outcome"]) == (0, 2, "partial")
    assert {"1", "p"} <= set(pipeline.texts())


PRINTING = """
import os
print("module")
def documents():
    print("function")
    os.system("echo child")
    yield "p", "Page", {}
"""


@pytest.mark.parametrize("command", ["plan", "sync"])
def test_what_a_function_and_its_children_print_is_no_part_of_the_answer(pipeline: Pipeline, command: str) -> None:
    (pipeline.folder / "rows.py").write_text(PRINTING)
    source = "  - kind: python\n    function: rows:documents\nembedder:"
    pipeline.config.write_text(pipeline.config.read_text().replace("embedder:", source, 1))
    arguments = [sys.executable, "-m", "flows.cli", command, str(pipeline.config), "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["documents"]["listed"] == 4
    assert {"module", "function", "child"} <= set(done.stderr.splitlines())
