"""The evaluations that were kept, and whether an index answers worse than it did."""

import hashlib
import json
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from config.pipeline import Pipeline
from tasks.database.connection import Connection
from tasks.database.database import Database
from tasks.database.migrations import Layout
from tasks.evaluate.evaluation import Evaluation
from tasks.evaluate.measures import Interval, difference
from tasks.ledger.ledger import schema_of

MOST_KEPT = 1000


def m001_table(connection: Connection) -> None:
    """One row for each evaluation; `queries` tells sets of queries and ways of asking apart."""
    connection.execute(
        "CREATE TABLE evaluation (at FLOAT NOT NULL, queries VARCHAR NOT NULL, measure VARCHAR NOT NULL,"
        " by_query VARCHAR NOT NULL, shape VARCHAR NOT NULL, PRIMARY KEY (at))",
        (),
    )


EVALUATIONS = Layout("history of evaluations", (m001_table,))  # beside the ledger's own tables


@dataclass(frozen=True, slots=True)
class Kept:
    """One evaluation; `change` is the gain since the one before on the same queries, None for the first."""

    at: float
    measure: str
    value: Interval
    generation: int
    model: str
    change: Interval | None

    @property
    def has_dropped(self) -> bool:
        """Whether it answers worse than before, and not by chance."""
        return self.change is not None and self.change.high < 0

    def sentence(self) -> str:
        """The same in words."""
        said = f"{self.measure} {self.value.mean:.3f} [{self.value.low:.3f}, {self.value.high:.3f}]"
        if self.change is None:
            return f"{said}, the first of its kind"
        gain, low, high = self.change
        how = "worse than before" if self.has_dropped else "better than before" if low > 0 else "as before"
        return f"{said}, {how}: {gain:+.3f}, between {low:+.3f} and {high:+.3f}"

    def as_json(self) -> dict[str, Any]:
        """What `status --json` and `evaluate --keep --json` say of it."""
        return {
            "at": self.at,
            "measure": self.measure,
            "value": self.value.mean,
            "confidence": [self.value.low, self.value.high],
            "generation": self.generation,
            "model": self.model,
            "change": None if self.change is None else list(self.change),
            "dropped": self.has_dropped,
        }


def keep(pipeline: Pipeline, evaluation: Evaluation) -> Kept:
    """Remember it, and compare it with the one before."""
    values = evaluation.values[evaluation.measure]
    key = hashlib.sha256(json.dumps([evaluation.mode, sorted(values)]).encode()).hexdigest()[:16]
    with _opened(pipeline) as database:
        with database.read() as transaction:
            sql = "SELECT by_query FROM evaluation WHERE queries = ? AND measure = ? ORDER BY at DESC LIMIT 1"
            row = transaction.execute(sql, (key, evaluation.measure)).one_or_none()
        change = difference(values, json.loads(row[0])) if row else None
        kept = Kept(
            at=round(database.now(), 3),
            measure=evaluation.measure,
            value=evaluation.main,
            generation=evaluation.generation,
            model=evaluation.model,
            change=change,
        )
        with database.write() as transaction:
            transaction.execute(
                "INSERT INTO evaluation (at, queries, measure, by_query, shape) VALUES (?, ?, ?, ?, ?)",
                (kept.at, key, kept.measure, json.dumps(values), json.dumps(kept.as_json())),
            )
            transaction.execute(
                "DELETE FROM evaluation WHERE at NOT IN (SELECT at FROM evaluation ORDER BY at DESC LIMIT ?)",
                (MOST_KEPT,),
            )
    return kept


def history(database: Database, most: int) -> list[Kept]:
    """The newest first; none where nothing was ever kept in the ledger's database."""
    with database.read() as transaction:
        if "evaluation" not in transaction.connection.names():
            return []
        rows = transaction.execute("SELECT shape FROM evaluation ORDER BY at DESC LIMIT ?", (most,))
        return [_kept(json.loads(shape)) for (shape,) in rows]


@contextmanager
def _opened(pipeline: Pipeline) -> Generator[Database]:
    """The first generation's, which lists all others, too."""
    with closing(Database(pipeline.as_generation(1).state, EVALUATIONS, schema_of(pipeline.name))) as database:
        yield database


def _kept(shape: dict[str, Any]) -> Kept:
    change = None if shape["change"] is None else Interval(*shape["change"])
    value = Interval(shape["value"], *shape["confidence"])
    return Kept(shape["at"], shape["measure"], value, shape["generation"], shape["model"], change)
