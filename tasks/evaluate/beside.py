"""Other indexes of the same documents, opened to be measured; the live one is not touched."""

import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config import stores
from config.pipeline import Pipeline
from tasks.embed.catalogue import section_for
from tasks.errors import ConfigError
from tasks.generations import Choice, as_given, recorded
from tasks.ledger.generations import Registry
from tasks.ledger.ledger import Ledger
from tasks.session import Session, open_session

Sync = Callable[[Session], Sequence[str]]  # answers with what was left undone


@contextmanager
def open_generation(pipeline: Pipeline, number: int) -> Generator[Session]:
    """A generation that is kept, with the settings that it was built with; ConfigError where there is none."""

    def choose(configured: Pipeline, first: Ledger) -> Choice:
        rows = Registry(first.database).generations()
        one = next((row for row in rows if row.number == number), None)
        if number == 1 and not rows:
            return Choice(configured)
        if one is None:
            there = ", ".join(str(row.number) for row in rows) or "1"
            raise ConfigError(f"{pipeline.name!r} has no generation {number}; expected one of: {there}")
        return Choice(recorded(configured, one).as_generation(number))

    with open_session(pipeline, choose=choose, read_only=True) as session:
        yield session


@contextmanager
def open_model(pipeline: Pipeline, model: str, sync: Sync) -> Generator[Session]:
    """All documents embedded with another model, in a temporary folder; texts that the cache knows cost nothing."""
    with tempfile.TemporaryDirectory(prefix="headrace-evaluate-") as folder:
        store = stores.QdrantStore.model_validate({"kind": "qdrant", "path": str(Path(folder) / "store")})
        beside = pipeline.model_copy(
            update={
                "embedder": section_for(model, pipeline.embedder),
                "store": store,
                "state": f"sqlite:///{folder}/state.db",
            }
        )
        with open_session(beside, choose=as_given) as session:
            if undone := sync(session):
                raise ConfigError(f"not every document could be embedded with {model!r}: {'; '.join(undone)}")
            yield session
