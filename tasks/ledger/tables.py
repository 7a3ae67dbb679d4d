"""The tables of the ledger as its first version has them, what their rows mean, and how they changed since.

A point's state says what *may* be in the store:

    (absent) --intent--> PENDING --acknowledged, flip--> LIVE --superseded or deleted--> DOOMED --deleted--> GONE
                            +---- not wanted any more ------------------------------------/                   |
    (absent) <------------------------------ proven absent after the grace time -----------------------------/
"""

from tasks.database.connection import Connection
from tasks.database.migrations import Layout
from tasks.database.tables import Table, complete_tables

PENDING, LIVE, DOOMED, GONE = "PENDING", "LIVE", "DOOMED", "GONE"

_NAME, _TEXT, _COUNT, _TIME = "VARCHAR NOT NULL", "VARCHAR", "INTEGER NOT NULL", "FLOAT"

_META = Table("meta", {"key": _NAME, "value": _NAME}, ("key",))

# One row. `clean` is 0 while a run holds the lease; `boot` names the boot of the machine it ran in.
_LEASE = Table(
    "lease",
    {
        "id": _COUNT,
        "epoch": _COUNT,
        "boot": _NAME,
        "clean": _COUNT,
        "holder": _TEXT,  # JSON: pid, host and Prefect's flow run
        "since": _TIME,
    },
    ("id",),
)

# `version` NULL: dirty, neither the old nor the new version is certain.
_DOCUMENT = Table(
    "document",
    {"id": _NAME, "source": _NAME, "version": _TEXT, "hint": _NAME, "chunks": _COUNT, "tokens": _COUNT},
    ("id",),
    is_ordered=True,
)

# An id is in one document only. The document comes first in the key because ids are random: a window's rows then lie
# side by side, and a ledger of a million points is written as fast as an empty one.
_POINT = Table(
    "point",
    {"document": _NAME, "id": _NAME, "key": _NAME, "embedding": "BLOB NOT NULL", "state": _NAME, "gone_at": _TIME},
    ("document", "id"),
    {"point_leaving": f"(state) WHERE state IN ('{DOOMED}', '{GONE}')"},
    is_ordered=True,
)

_QUARANTINE = Table(
    "quarantine",
    {
        "document": _NAME,
        "reason": _NAME,
        "message": _NAME,
        "attempts": _COUNT,
        "since": f"{_TIME} NOT NULL",
        "hint": _TEXT,  # of the document as it was quarantined, with the shape; empty or NULL promises nothing
        "version": _TEXT,  # of the document as it was quarantined, where it could be read
        "next_try": _TIME,  # NULL: not before the document or the shape changes
    },
    ("document",),
)

# Documents that left, for the guard's memory of seven days.
_DEPARTURE = Table("departure", {"at": f"{_TIME} NOT NULL", "documents": _COUNT}, indexes={"departure_at": "(at)"})

_RUN = Table(
    "run",
    {
        "id": _NAME,
        "epoch": _COUNT,
        "started_at": f"{_TIME} NOT NULL",
        "finished_at": _TIME,
        "outcome": _TEXT,
        "report": _TEXT,
    },
    ("id",),
)

TABLES = (_META, _LEASE, _DOCUMENT, _POINT, _QUARANTINE, _DEPARTURE, _RUN)


def m001_tables(connection: Connection) -> None:
    """Makes the tables, or completes those that were made before versions were kept."""
    complete_tables(connection, TABLES)


def m002_progress(connection: Connection) -> None:
    """A run says how far it is; NULL for runs of the time before, and where nothing was to be read."""
    for column in ("documents_done", "documents_total", "chunks_embedded"):
        connection.execute(f"ALTER TABLE run ADD COLUMN {column} INTEGER", ())


def m003_generations(connection: Connection) -> None:
    """The first generation's ledger lists them all; without a row there is one, of unknown settings."""
    columns = (
        "number INTEGER NOT NULL, state VARCHAR NOT NULL, settings VARCHAR, space VARCHAR NOT NULL,"
        " overrules VARCHAR NOT NULL, built_at FLOAT, since FLOAT NOT NULL, is_published INTEGER NOT NULL,"
        " PRIMARY KEY (number)"
    )
    connection.execute(f"CREATE TABLE generation ({columns})", ())


def m004_remarks(connection: Connection) -> None:
    """A document says what a reader of it sees and its chunks lack; NULL: nothing."""
    connection.execute("ALTER TABLE document ADD COLUMN remark VARCHAR", ())


def m005_quality(connection: Connection) -> None:
    """A generation says how it answered beside the one before; NULL: that was not measured."""
    connection.execute("ALTER TABLE generation ADD COLUMN quality VARCHAR", ())


def m006_samples(connection: Connection) -> None:
    """A document keeps a sample of its text, to tell how much of it a change takes away; NULL: not known."""
    connection.execute(f"ALTER TABLE document ADD COLUMN sample {connection.binary}", ())


def m007_copies(connection: Connection) -> None:
    """A document keeps a signature of its text, where near-duplicates are looked for, and names its original."""
    connection.execute(f"ALTER TABLE document ADD COLUMN signature {connection.binary}", ())
    connection.execute("ALTER TABLE document ADD COLUMN near VARCHAR", ())
    connection.execute("CREATE INDEX document_near ON document (near) WHERE near IS NOT NULL", ())


_CHANGES = m002_progress, m003_generations, m004_remarks, m005_quality, m006_samples, m007_copies
LEDGER = Layout("ledger", (m001_tables, *_CHANGES))
