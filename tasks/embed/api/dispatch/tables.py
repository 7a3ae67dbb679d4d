"""What all processes that use one provider's account share: its limits, its pauses, and what it has cost today."""

from tasks.database.connection import Connection
from tasks.database.migrations import Layout
from tasks.database.tables import Table, complete_tables

_NAME, _AMOUNT = "VARCHAR NOT NULL", "FLOAT NOT NULL"

_TABLES = (
    # A token bucket: `level` units were there at `at`, and `per_minute` of them come in a minute; NULL: no limit known.
    Table(
        "bucket",
        {"account": _NAME, "kind": _NAME, "per_minute": "FLOAT", "level": _AMOUNT, "at": _AMOUNT},
        ("account", "kind"),
    ),
    # Nobody sends anything before `until`.
    Table("pause", {"account": _NAME, "until": _AMOUNT}, ("account",)),
    # `day` is UTC. A row of `reservation` is a request on its way; those of a killed process stay, and count as spent.
    Table("spending", {"account": _NAME, "day": _NAME, "usd": _AMOUNT}, ("account", "day")),
    Table("reservation", {"id": _NAME, "account": _NAME, "day": _NAME, "usd": _AMOUNT}, ("id",)),
)

# What a provider works off within a day. `mark` is its name here and in `reservation`, `batch_id` the provider's, empty
# until it is known; `texts` are embedding keys, one after the other.
_BATCH = Table(
    "batch",
    {
        **dict.fromkeys(("mark", "account", "space", "owner", "batch_id", "day"), _NAME),
        "texts": "BLOB NOT NULL",
        "tokens": "INTEGER NOT NULL",
        "usd": _AMOUNT,
        "usd_per_token": _AMOUNT,
    },
    ("mark",),
)


def m001_tables(connection: Connection) -> None:
    """Makes the tables, or completes those that were made before versions were kept."""
    complete_tables(connection, _TABLES)


def m002_batches(connection: Connection) -> None:
    """Makes the table of what is worked off later."""
    complete_tables(connection, (_BATCH,))


BUDGET = Layout("budget", (m001_tables, m002_batches))
