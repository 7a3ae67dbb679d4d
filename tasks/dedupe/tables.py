"""The tables of the ledger and of the embedding cache, and what their rows mean.

A point's state says what *may* be in the store:

    (absent) --intent--> PENDING --acknowledged, flip--> LIVE --superseded or deleted--> DOOMED --deleted--> GONE
                            +---- not wanted any more ------------------------------------/                   |
    (absent) <------------------------------ proven absent after the grace time -----------------------------/
"""

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

PENDING, LIVE, DOOMED, GONE = "PENDING", "LIVE", "DOOMED", "GONE"

LEDGER = MetaData()
CACHE = MetaData()

meta = Table(
    "meta",
    LEDGER,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

# One row. `clean` is 0 while a run holds the lease; `boot` names the boot of the machine it ran in.
lease = Table(
    "lease",
    LEDGER,
    Column("id", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("boot", String, nullable=False),
    Column("clean", Integer, nullable=False),
    Column("holder", String),  # JSON: pid and host
    Column("since", Float),
)

# `version` NULL: dirty, neither the old nor the new version is certain.
document = Table(
    "document",
    LEDGER,
    Column("id", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("version", String),
    Column("hint", String, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    sqlite_with_rowid=False,
)

point = Table(
    "point",
    LEDGER,
    Column("id", String, primary_key=True),
    Column("document", String, nullable=False),
    Column("key", String, nullable=False),
    Column("embedding", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("gone_at", Float),
    sqlite_with_rowid=False,
)
Index("point_document", point.c.document)
_LEAVING = point.c.state.in_((DOOMED, GONE))
Index("point_leaving", point.c.state, sqlite_where=_LEAVING, postgresql_where=_LEAVING)

quarantine = Table(
    "quarantine",
    LEDGER,
    Column("document", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("message", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("hint", String),  # of the document as it was refused, with the shape; empty or NULL promises nothing
    Column("version", String),  # of the document as it was refused, where it could be read
    Column("next_try", Float),  # NULL: not before the document or the shape changes
    sqlite_with_rowid=False,
)

# Documents that left, for the guard's memory of seven days.
departure = Table(
    "departure",
    LEDGER,
    Column("at", Float, nullable=False),
    Column("documents", Integer, nullable=False),
)
Index("departure_at", departure.c.at)

run = Table(
    "run",
    LEDGER,
    Column("id", String, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("outcome", String),
    Column("report", String),
    sqlite_with_rowid=False,
)

embedding = Table(
    "embedding",
    CACHE,
    Column("key", LargeBinary, primary_key=True),
    Column("vector", LargeBinary, nullable=False),  # float32, little endian
    Column("tokens", Integer, nullable=False),
    sqlite_with_rowid=False,
)
