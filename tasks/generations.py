"""Which generation a command works on, and with which settings: as it was built, or as the configuration says now."""

from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from config.pipeline import Pipeline, Search
from config.recorded import as_answered, as_recorded, shape
from tasks.embed.open import open_embedder
from tasks.errors import CollectionError
from tasks.ledger.generations import BUILDING, Generation, Registry
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import epoch_marked
from tasks.upsert.base import VectorStore
from tasks.upsert.open import open_store


class Choice(NamedTuple):
    """`note` tells a person that the configuration's settings were not taken, and why."""

    pipeline: Pipeline
    note: str = ""


Choose = Callable[[Pipeline, Ledger], Choice]  # takes the configuration and the first generation's ledger


def as_given(pipeline: Pipeline, _first: Ledger) -> Choice:
    """The very generation and settings that the caller has chosen."""
    return Choice(pipeline)


def as_beside(pipeline: Pipeline, first: Ledger) -> Choice:
    """A generation that is not there yet, with the settings that the caller has chosen."""
    note = "this is for all documents, as a rebuild would embed them; texts that are in the cache cost nothing"
    return Choice(pipeline.as_generation(Registry(first.database).next_number()), note)


def as_live(pipeline: Pipeline, first: Ledger) -> Choice:
    """The live generation as it was built, for whoever reads."""
    live = Registry(first.database).live()
    if live is None:
        return Choice(pipeline)
    return Choice(recorded(pipeline, live).as_generation(live.number), _held(pipeline, live))


def as_synced(pipeline: Pipeline, first: Ledger) -> Choice:
    """The live generation, for a sync: as the configuration says, where that fits.

    As it was built, where a person knows that it does not fit: a new one is being built, or was rolled back from.
    CollectionError where the configuration makes other vectors than the live generation has.
    """
    registry = Registry(first.database)
    live = registry.live()
    if live is None:
        if epoch_marked(first):
            return Choice(pipeline)
        with closing(open_store(pipeline.store, pipeline.name)) as store:  # the ledger may have been lost
            return Choice(pipeline.as_generation(_published(store, pipeline)))
    configured, built = (
        one.as_generation(live.number) for one in (as_answered(pipeline, live.settings), recorded(pipeline, live))
    )
    wanted = shape(pipeline)
    if live.settings is None or wanted == shape(built):
        return Choice(configured, _held(pipeline, live))
    building = [
        one for one in registry.generations() if one.state == BUILDING and shape(recorded(pipeline, one)) == wanted
    ]
    if building:
        return Choice(built, f"generation {building[0].number} is being built; `headrace rebuild` goes on with it")
    if wanted == live.overrules:
        return Choice(
            built,
            f"generation {live.number} was rolled back to, so its settings go on, not the configuration's;"
            " `headrace rebuild` builds what the configuration says",
        )
    with closing(open_embedder(pipeline.embedder, pipeline.state)) as embedder:
        if embedder.space.fingerprint == live.space:
            return Choice(configured, _held(pipeline, live))
        raise CollectionError(
            f"the live generation {live.number} of {pipeline.name!r} has another vector space ({live.space}) than the"
            f" model {embedder.model!r} of the configuration makes ({embedder.space.fingerprint}); nothing was changed,"
            f" and searches go on with what there is; {way_to(pipeline)}, or go back to the settings it was built with"
        )


def way_to(pipeline: Pipeline) -> str:
    """What a user does for another vector space."""
    if pipeline.store.shared:
        return "as other pipelines share it, name another `collection` under `store` for the new model"
    return "run `headrace rebuild` to build a new generation beside it"


def recorded(pipeline: Pipeline, generation: Generation) -> Pipeline:
    """The pipeline with the settings that the generation was built with, as far as they were recorded."""
    return pipeline if generation.settings is None else as_recorded(pipeline, generation.settings)


def _held(pipeline: Pipeline, live: Generation) -> str:
    """That another fusion is to be measured first; "" where there is none."""
    kept = as_answered(pipeline, live.settings).search
    if kept == pipeline.search:
        return ""
    return (
        f"searches are fused as in generation {live.number} ({_fusion(kept)}), not as the configuration says"
        f" ({_fusion(pipeline.search)}): `headrace rebuild` compares both by `quality`, and embeds nothing"
    )


def _fusion(search: Search) -> str:
    weight = "" if search.dense_weight is None else f", dense_weight: {search.dense_weight}"
    return f"mode: {search.mode}{weight}"


def publish(store: VectorStore, pipeline: Pipeline) -> None:
    """Let the name for other readers lead to the store's collection; CollectionError where it leads to others' data."""
    _published(store, pipeline)
    store.publish(pipeline.live_name)


def _published(store: VectorStore, pipeline: Pipeline) -> int:
    """The number of the generation to which the store's name leads; the first where it leads nowhere."""
    first, collection = pipeline.as_generation(1).collection, store.place(pipeline.live_name).published
    number = "1" if collection in (None, first) else str(collection).removeprefix(f"{first}-")
    if number == collection or not number.isdecimal():
        raise CollectionError(
            f"{pipeline.live_name!r} in the store leads to {collection!r}, which is no generation of {pipeline.name!r};"
            " name another `collection` under `store`"
        )
    return int(number)
