"""Other indexes of the same documents, opened to be measured; the live one is not touched."""

import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from config import stores
from config.pipeline import Pipeline
from tasks.embed.catalogue import section_for
from tasks.errors import ConfigError
from tasks.evaluate.coarse import OVERSAMPLING, coarse
from tasks.generations import Choice, as_given, recorded
from tasks.ledger.generations import Registry
from tasks.ledger.ledger import Ledger
from tasks.load.base import Source
from tasks.session import Session, open_session

Sync = Callable[[Session], None]  # raises where something is left undone
Sources = Callable[[Mapping[str, Source]], Mapping[str, Source]]


@dataclass(frozen=True, slots=True)
class Variant:
    """What is other than in the configuration; None: nothing."""

    model: str | None = None
    dimensions: int | None = None
    chunk_tokens: int | None = None
    precision: str | None = None

    def of(self, pipeline: Pipeline) -> Pipeline:
        """The settings changed; ConfigError where they cannot be."""
        embedder = pipeline.embedder
        if self.model and self.model != getattr(embedder, "model", embedder.kind):
            embedder = section_for(self.model, embedder)
        if self.dimensions:
            embedder = _changed(embedder, "dimensions", self.dimensions)
        chunking = pipeline.chunking
        if self.chunk_tokens:
            chunking = _changed(chunking, "max_tokens", self.chunk_tokens)
        return pipeline.model_copy(update={"embedder": embedder, "chunking": chunking})


@dataclass(frozen=True, slots=True)
class Making:
    """How an index is made beside the live one; `sources` may put others in the place of the configured ones."""

    sync: Sync
    max_usd: float | None = None
    sources: Sources = lambda sources: sources


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
def open_beside(pipeline: Pipeline, variant: Variant, making: Making) -> Generator[Session]:
    """All documents embedded otherwise, in a temporary folder; texts that the cache knows cost nothing."""
    with tempfile.TemporaryDirectory(prefix="headrace-evaluate-") as folder:
        precision = variant.precision or "float32"
        kept = "float32" if precision in OVERSAMPLING else precision
        place = {"kind": "qdrant", "path": str(Path(folder) / "store"), "precision": kept}
        changed = variant.of(pipeline)
        beside = changed.model_copy(
            update={"store": stores.QdrantStore.model_validate(place), "state": f"sqlite:///{folder}/state.db"}
        )
        with open_session(beside, choose=as_given, max_usd=making.max_usd) as session:
            session = replace(session, sources=making.sources(session.sources))
            making.sync(session)
            yield coarse(session, precision) if precision in OVERSAMPLING else session


def _changed(section: Any, name: str, value: object) -> Any:
    """The section with one setting changed, checked as in a file."""
    if name not in type(section).model_fields:
        raise ConfigError(f"`kind: {section.kind}` has no setting `{name}`, so {value} of them cannot be compared")
    try:
        type(section).model_validate({name: value, **section.model_dump(exclude={name}, exclude_unset=True)})
    except ValueError as error:
        raise ConfigError(f"{name} {value} is not possible: {error.errors()[0]['msg']}") from error  # type: ignore[attr-defined]
    return section.model_copy(update={name: value})
