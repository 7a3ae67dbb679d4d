"""Places whose documents are rows: databases, files of tables, a function of the user's own, and boxes of messages."""

import csv
import itertools
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import pandas
import pytest
from pydantic import TypeAdapter
from sqlalchemy import create_engine, text

from config.sources import Source as AnySource
from tasks.load.base import Source
from tasks.load.open import open_source
from tasks.records import Listing
from tests.mariadb_server import MariadbServer, mariadb_folder
from tests.postgres_server import PostgresServer

Rows = dict[str, str]
TABLE = {"id": "name", "text": "body"}
SQL = {**TABLE, "kind": "sql", "query": "SELECT name, body, changed FROM pages -- a comment\n;"}
_COUNT = itertools.count()
MODULE = """
import json, pathlib

def documents():
    for name, body in json.loads((pathlib.Path(__file__).parent / "rows.json").read_text()).items():
        yield name, body, {"kind": "page"}

def frame():
    import pandas
    rows = json.loads((pathlib.Path(__file__).parent / "rows.json").read_text())
    return pandas.DataFrame([{"name": name, "body": body} for name, body in rows.items()])
"""


PAGES = {"a.md": "# Alpha\r\n\r\nText.\r\n", "sub/b.txt": "Beta\n", "sub/deep/c.md": "no title\n"}


@dataclass
class RowPlace:
    """Somewhere with rows, and the settings that name it; `hide` makes all of it unreachable."""

    write: Callable[[str, str], None]
    delete: Callable[[str], None]
    hide: Callable[[], object]
    settings: Mapping[str, object]

    def open(self) -> Source:
        return open_source(TypeAdapter[AnySource](AnySource).validate_python({"name": "s", **self.settings}))

    @cached_property
    def source(self) -> Source:
        return self.open()


def hints(listing: Listing) -> dict[str, str]:
    return {ref.path: ref.hint for ref in listing.refs}


class Servers(ExitStack):
    """Started by the first who needs one, for all who come later."""

    @cached_property
    def postgres(self) -> PostgresServer:
        return self.enter_context(PostgresServer())

    @cached_property
    def mariadb(self) -> MariadbServer:
        return self.enter_context(MariadbServer())


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """A table with these rows, in the format of the suffix."""
    rows = list(rows)
    columns = list(rows[0]) if rows else ["name", "body"]
    match path.suffix:
        case ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerows([columns, *([row[column] for column in columns] for row in rows)])
        case ".jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        case ".json":
            path.write_text(json.dumps(rows))
        case ".parquet":
            pandas.DataFrame(rows, columns=columns).to_parquet(path)
        case ".xlsx":
            _write_workbook(path, [columns, *([row[column] for column in columns] for row in rows)])


def _write_workbook(path: Path, rows: Iterable[Iterable[object]]) -> None:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    office, package = "http://schemas.openxmlformats.org", "http://schemas.openxmlformats.org/package/2006"
    lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType='
        f'"{kind}.sheet.main+xml"/><Override PartName="/xl/a.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type='
        f'"{office}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{office}/spreadsheetml/2006/main" xmlns:r="{office}'
        '/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="r"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type='
        f'"{office}/officeDocument/2006/relationships/worksheet" Target="a.xml"/></Relationships>',
        "xl/a.xml": f'<worksheet xmlns="{office}/spreadsheetml/2006/main"><sheetData>{lines}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        return f"<c><v>{value}</v></c>"
    words = escape(str(value or "")).replace("\r", "&#13;")
    return f'<c t="inlineStr"><is><t xml:space="preserve">{words}</t></is></c>'


def _file(suffix: str) -> Callable[[Path, "Servers"], "RowPlace"]:
    def place(folder: Path, _servers: "Servers") -> "RowPlace":
        path = folder / f"pages{suffix}"
        return _kept(
            lambda rows: write_rows(path, [{"name": name, "body": body} for name, body in rows.items()]),
            {**TABLE, "kind": "table", "path": str(path)},
            path.unlink,
        )

    return place


def _function(name: str) -> Callable[[Path, "Servers"], "RowPlace"]:
    def place(folder: Path, _servers: "Servers") -> "RowPlace":
        (folder / "export.py").write_text(MODULE)
        rows = folder / "rows.json"
        settings = {**TABLE, "kind": "python", "function": f"export:{name}", "path": str(folder)}
        return _kept(lambda given: rows.write_text(json.dumps(given)), settings, rows.unlink)

    return place


def _sqlite(folder: Path, _servers: "Servers") -> "RowPlace":
    path = folder / "pages.db"
    return _database(f"sqlite:///{path}", {}, path.unlink)


def _versioned(folder: Path, _servers: "Servers") -> "RowPlace":
    path = folder / "pages.db"
    return _database(f"sqlite:///{path}", {"version": "changed"}, path.unlink)


def _postgres(_folder: Path, servers: "Servers") -> "RowPlace":
    return _server(servers.postgres.new_database(f"trial_{next(_COUNT)}"))


def _mariadb(_folder: Path, servers: "Servers") -> "RowPlace":
    if mariadb_folder() is None:
        pytest.skip("no MariaDB is installed, and MARIADB_FOLDER names none")
    return _server(servers.mariadb.new_database(f"trial_{next(_COUNT)}"))


def _server(url: str) -> "RowPlace":
    def hide() -> None:
        _run(url, "DROP TABLE pages")

    return _database(url, {}, hide)


def _run(url: str, statement: str, **values: object) -> None:
    engine = create_engine(url.replace("mysql://", "mysql+pymysql://"))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def _database(url: str, settings: dict[str, object], hide: Callable[[], object]) -> "RowPlace":
    def write(name: str, body: str) -> None:
        delete(name)
        values = {"name": name, "body": body, "changed": next(_COUNT)}
        _run(url, "INSERT INTO pages VALUES (:name, :body, :changed)", **values)

    def delete(name: str) -> None:
        _run(url, "DELETE FROM pages WHERE name = :name", name=name)

    _run(url, "CREATE TABLE pages (name VARCHAR(100) PRIMARY KEY, body TEXT, changed INTEGER)")
    return RowPlace(write, delete, hide, {**SQL, "url": url, **settings})


def _kept(save: Callable[[Rows], object], settings: dict[str, object], hide: Callable[[], object]) -> "RowPlace":
    rows: Rows = {}

    def write(name: str, body: str) -> None:
        rows[name] = body
        save(rows)

    def delete(name: str) -> None:
        del rows[name]
        save(rows)

    return RowPlace(write, delete, hide, settings)


def _message(name: str, body: str) -> bytes:
    """The title is what the message is about."""
    title, _, rest = body.partition("\r\n\r\n" if "\r" in body else "\n\n") if body[:1] == "#" else ("", "", body)
    return f"Message-ID: <{name}>\nSubject: {title.lstrip('# ')}\n\n{rest}\n".encode()


def _mbox(folder: Path, _servers: "Servers") -> "RowPlace":
    path = folder / "pages.mbox"

    def save(rows: Rows) -> None:
        messages = (_message(name, body) for name, body in sorted(rows.items()))
        path.write_bytes(b"".join(b"From a@b.c Mon Jan  1 10:00:00 2024\n%b\n" % message for message in messages))

    return _kept(save, {"kind": "mail", "path": str(path)}, path.unlink)


def _maildir(folder: Path, _servers: "Servers") -> "RowPlace":
    box = folder / "box"
    for part in ("cur", "new", "tmp"):
        (box / part).mkdir(parents=True)

    def path(name: str) -> Path:
        return box / "new" / name.replace("/", "_")

    def write(name: str, body: str) -> None:
        path(name).write_bytes(_message(name, body))
        os.utime(path(name), (1_700_000_000, 1_700_000_000))

    return RowPlace(
        write, lambda name: path(name).unlink(), lambda: shutil.rmtree(box), {"kind": "mail", "path": str(box)}
    )


ROWS: dict[str, Callable[[Path, "Servers"], "RowPlace"]] = {
    "sql": _sqlite,
    "version": _versioned,
    "postgres": _postgres,
    "mariadb": _mariadb,
    **{suffix: _file(f".{suffix}") for suffix in ("csv", "jsonl", "json", "parquet", "xlsx")},
    "python": _function("documents"),
    "frame": _function("frame"),
    "mbox": _mbox,
    "maildir": _maildir,
}
