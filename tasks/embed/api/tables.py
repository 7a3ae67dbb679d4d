"""What all processes that use one provider's account share: its limits, its pauses, and what it has cost today."""

from sqlalchemy import Column, Float, MetaData, String, Table

BUDGET = MetaData()

# A token bucket: `level` units were there at `at`, and `per_minute` of them come in a minute; NULL: no limit known.
bucket = Table(
    "bucket",
    BUDGET,
    Column("account", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("per_minute", Float),
    Column("level", Float, nullable=False),
    Column("at", Float, nullable=False),
)

# Nobody sends anything before `until`.
pause = Table(
    "pause",
    BUDGET,
    Column("account", String, primary_key=True),
    Column("until", Float, nullable=False),
)

# `day` is UTC. A row of `reservation` is a request on its way; those of a killed process stay, and count as spent.
spending = Table(
    "spending",
    BUDGET,
    Column("account", String, primary_key=True),
    Column("day", String, primary_key=True),
    Column("usd", Float, nullable=False),
)
reservation = Table(
    "reservation",
    BUDGET,
    Column("id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("day", String, nullable=False),
    Column("usd", Float, nullable=False),
)
