"""What surrounds the generations of a pipeline: their record, the published name, the list, and dropping one."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from config.pipeline import Pipeline
from config.recorded import recorded_settings
from tasks.errors import ConfigError, HeadraceError
from tasks.generations import publish
from tasks.ledger.generations import LEAVING, LIVE, Generation, Registry, erase
from tasks.ledger.lease import leased
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import epoch_marked, lineage
from tasks.session import Session, open_collection, open_ledger
from tasks.upsert.base import VectorStore
from tasks.upsert.open import open_store


@dataclass(frozen=True, slots=True)
class GenerationStatus:
    """One generation as a person sees it; `state` is live, kept, building, or leaving where it is to be dropped."""

    generation: int
    live: bool
    state: str
    space: str
    model: str
    documents: int
    chunks: int
    bytes: int | None
    built_at: float | None
    quality: str | None = None


def record(session: Session) -> None:
    """Note what the generation is built with, now that its collection fits."""
    settings = recorded_settings(session.pipeline)
    session.registry.record(session.pipeline.generation, settings, session.space.fingerprint)


def complete_switch(session: Session) -> list[str]:
    """Publish the live generation where its name does not lead to it yet, and drop what is to leave or has grown old.

    What a killed process left undone is done by the next one. A failure is no failure of the run: the notes tell it.
    """
    registry, pipeline, notes = session.registry, session.pipeline, list[str]()
    rows = registry.keep(pipeline.store.keep_generations, pipeline.store.keep_days)
    live = next((one for one in rows if one.state == LIVE), None)
    if live and live.number == pipeline.generation and not live.is_published:
        try:
            publish(session.store, pipeline)
        except HeadraceError as error:
            return [
                f"{pipeline.live_name!r} does not lead to the live collection yet: {error}; the next run tries again"
            ]
        registry.published(live.number)
    for one in rows:
        if one.state == LEAVING:
            try:
                _drop(pipeline.as_generation(one.number), registry)
            except HeadraceError as error:
                notes.append(f"generation {one.number} is not dropped yet: {error}; the next run tries again")
    return notes


def generations(pipeline: Pipeline, first: Ledger) -> list[GenerationStatus]:
    """All there are, asked of their ledgers and of the store; `first` is the first generation's ledger."""
    rows = Registry(first.database).generations()
    if not rows and epoch_marked(first):
        rows = [Generation(1, LIVE, None, "", "", None, 0.0, is_published=False)]
    return [_status(pipeline, one) for one in rows]


def drop_generation(pipeline: Pipeline, registry: Registry, number: int, confirmed: int | None) -> None:
    """Drop one that is not live; the one before the live one only where its number is `confirmed`.

    ConfigError where it must not be dropped, or is not there.
    """
    rows, previous = {one.number: one for one in registry.generations()}, registry.previous()
    if number not in rows:
        there = ", ".join(map(str, rows)) or "none"
        raise ConfigError(f"there is no generation {number}; expected one of these: {there}")
    if rows[number].state == LIVE:
        raise ConfigError(
            f"generation {number} is the live one and is not dropped; `headrace rollback` goes back first"
        )
    if previous and previous.number == number != confirmed:
        raise ConfigError(
            f"generation {number} is the one that `headrace rollback` goes back to; to drop it all the same, repeat its"
            f" number: --confirm {number}"
        )
    registry.leave(number)
    _drop(pipeline.as_generation(number), registry)


def _drop(pipeline: Pipeline, registry: Registry) -> None:
    """Collection first, ledger last: a killed process leaves what the next one needs to go on."""
    with closing(open_ledger(pipeline)) as ledger:
        with leased(ledger, wait=False):
            with closing(open_collection(pipeline)) as store:
                if _is_own(store, ledger):
                    store.drop()
            if pipeline.generation == 1:
                erase(ledger)
        if pipeline.generation > 1:
            ledger.remove()
    registry.forget(pipeline.generation)


def _is_own(store: VectorStore, ledger: Ledger) -> bool:
    """A collection that happens to have the name is somebody else's."""
    sentinel = store.sentinel()
    return sentinel.lineage == lineage(ledger) if sentinel else not store.count()


def _status(pipeline: Pipeline, one: Generation) -> GenerationStatus:
    meant = pipeline.as_generation(one.number)
    embedder: dict[str, Any] = (one.settings or {}).get("embedder", {})
    with closing(open_ledger(meant, read_only=True)) as ledger, closing(open_store(meant.store, meant.name)) as store:
        counts, sentinel = ledger.counts(), store.sentinel()
        size = store.place(pipeline.live_name).size_bytes
    return GenerationStatus(
        generation=one.number,
        live=one.state == LIVE,
        state=one.state.lower(),
        space=one.space or (sentinel.space if sentinel else ""),
        model=embedder.get("model", embedder.get("kind", "unknown")),
        documents=counts.documents,
        chunks=counts.live,
        bytes=size,
        built_at=one.built_at,
        quality=one.quality,
    )
