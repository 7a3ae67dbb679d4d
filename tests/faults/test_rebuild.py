"""A fault at every numbered effect of a rebuild or a rollback leaves a whole generation live; the next call goes on.

Transactions of every ledger and of the table of generations, writes to every collection, the published name, dropping:
each is an effect. Whenever one has happened, somebody reads as a reader would, and finds one whole generation.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain, count
from typing import Any

import numpy as np
import pytest

from config import embedders
from config.options import SyncOptions
from config.pipeline import Pipeline
from tasks import generations as choosing
from tasks import session as opening
from tasks.database.database import Database
from tasks.dedupe.cache import CACHE
from tasks.dedupe.identity import bookkeeping
from tasks.embed.hashing import HashingEmbedder
from tasks.ledger import generations as table
from tasks.ledger.generations import BUILDING, LEAVING, Registry
from tasks.ledger.tables import LEDGER
from tasks.records import Vector
from tasks.runners.inline import InlineRunner
from tasks.session import Session
from tasks.sync import generations as surroundings
from tasks.sync import rebuild as rebuilding
from tasks.sync.rebuild import rebuild, rollback
from tasks.sync.report import Report
from tasks.sync.run import run_sync
from tasks.upsert.memory import MemoryStore
from tests.faults.world import (
    Crash,
    FaultyCache,
    FaultyLedger,
    FaultyStore,
    LineChunker,
    Lines,
    Silence,
    World,
)

TEXTS = {"a/1": "alpha\nbeta\ngamma", "a/2": "shared\nbeta", "b/1": "shared\nuno\ndos\ntres", "c/1": "x\nx"}
SCENARIOS = ("rebuild", "rebuild again", "rollback", "rebuild after a rollback", "other settings meanwhile")
SECONDS = float(os.environ.get("FAULT_SECONDS", "2")) / 4  # for each scenario
AT_LEAST, AT_MOST = 6, 500


def configured(dimensions: int) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": "faulty",
            "sources": [{"kind": "files", "path": "s", "name": "s"}],
            "embedder": {"kind": "hashing", "dimensions": dimensions},
            "store": {"kind": "memory"},
            "state": "sqlite:///faulty.db",
        }
    )


FIRST = configured(8).state


class _Database(Database):
    """Closing keeps it; removing it is an effect."""

    def __init__(self, site: "Site", url: str) -> None:
        super().__init__("sqlite://", LEDGER, "ledger")
        self._site, self._url = site, url

    def remove(self) -> None:
        self._site.world.hit("ledger.remove", lambda: self._site.ledgers.pop(self._url))

    def close(self) -> None:
        """Others have it open."""


class _Registry(Registry):
    """Each transaction is an effect."""

    world = World()

    @contextmanager
    def _write(self, label: str) -> Iterator[Any]:
        mode = self.world.enter(f"tx:{label}")
        with super()._write(label) as transaction:
            yield transaction
        self.world.leave(mode)


class _Store(FaultyStore):
    """Publishing and dropping are effects, too."""

    def __init__(self, site: "Site", name: str) -> None:
        super().__init__(site.stores.setdefault(name, MemoryStore()), site.world)
        self._site, self._name = site, name

    def publish(self, name: str) -> None:
        self._world.hit("store.publish", lambda: self._site.names.update({name: self._name}))

    def drop(self) -> None:
        self._world.hit("store.drop", self._store.drop)

    def close(self) -> None:
        """The next process has it."""


class _Paying(HashingEmbedder):
    """Each batch is an effect; what was paid for is remembered."""

    def __init__(self, site: "Site", config: embedders.HashingEmbedder) -> None:
        super().__init__(config)
        self._site = site

    def embed(self, texts: Sequence[str], tokens: Sequence[int], /) -> Any:
        self._site.paid += [(self.space.dimension, text) for text in texts]
        self._site.world.hit("embed", lambda: None)
        yield from super().embed(texts, tokens)


class _Cache(FaultyCache):
    def __init__(self, database: Database, world: World, dimension: int) -> None:
        super().__init__(database, world)
        self._dimension = dimension

    def close(self) -> None:
        """Others have it open."""


class Site:
    """What survives a process: ledgers, collections, names, the cache."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ledgers: dict[str, Database] = {}
        self.stores: dict[str, MemoryStore] = {}
        self.names: dict[str, str] = {}
        self.paid: list[tuple[int, str]] = []
        self.holes: list[str] = []
        self.cache = Database("sqlite://", CACHE, "cache")
        self.source = Lines(TEXTS, dict.fromkeys(TEXTS, "T"))
        self.world = World()
        self.is_synced = False
        for room in (opening, rebuilding, surroundings, choosing):
            patch.setattr(room, "open_store", self.store, raising=False)
        for room in (opening, choosing):
            patch.setattr(room, "open_embedder", lambda config, *_: _Paying(self, config))
        for room in (opening, rebuilding, table, surroundings, choosing):
            patch.setattr(room, "Registry", _Registry)
        patch.setattr(opening, "Ledger", self.ledger)
        patch.setattr(
            opening, "EmbeddingCache", lambda _, dimension, read_only: _Cache(self.cache, self.world, dimension)
        )
        patch.setattr(opening, "open_source", lambda _, **__: self.source)
        patch.setattr(opening, "open_chunker", lambda *_: _Chunker())
        patch.setattr(opening, "_existing", lambda url: url)

    def store(self, config: Any, pipeline: str, _language: str = "english") -> Any:
        return _Store(self, config.collection or pipeline)

    def ledger(self, url: str, _pipeline: str, _generation: int, *, read_only: bool) -> Any:
        del read_only
        if url not in self.ledgers:
            self.ledgers[url] = _Database(self, url)
        return FaultyLedger(self.ledgers[url], self.world)

    def run(self, command: str, pipeline: Pipeline, world: World | None = None) -> Report:
        """One process, which may die as the plan of `world` says."""
        self.world = _Registry.world = self.source.world = world or World(observe=self.look)
        commands = {"rebuild": rebuild, "rollback": rollback}
        if command in commands:
            return commands[command](pipeline, SyncOptions(), synced)
        with opening.open_session(pipeline, choose=choosing.as_synced) as session:
            return synced(session, SyncOptions())

    def look(self) -> None:
        """As a reader of Headrace would; once there is something to read, there is always one whole generation."""
        if not self.is_synced:
            return
        live = Registry(self.ledgers[FIRST]).live()
        if live is None or live.settings is None:
            self.holes.append(f"nothing is live, or nobody knows how: {live}")
            return
        name = "faulty" if live.number == 1 else f"faulty-{live.number}"
        self.holes += self.differences(name, live.settings["embedder"]["dimensions"], live.space)

    def differences(self, name: str, dimensions: int, space: str) -> list[str]:
        store = self.stores[name]
        records = dict(store.scan())
        have = sorted((payload["metadata"]["document"], payload["text"]) for payload in records.values())
        want = sorted((key, line) for key, text in self.source.texts.items() for line in text.split("\n"))
        found = [] if have == want else [f"{name} has {len(have)} records, expected {len(want)}"]
        for point, vector in store.vectors(list(records)).items():
            right = right_vector(records[point]["text"], dimensions)
            book = bookkeeping(records[point])
            if book is None or book.space != space or vector.shape != right.shape or not np.allclose(vector, right):
                found.append(f"{name} has a record of another model: {point}")
        return found


@cache
def right_vector(text: str, dimensions: int) -> Vector:
    return HashingEmbedder(embedders.HashingEmbedder(kind="hashing", dimensions=dimensions)).embed_query(text)


class _Chunker(LineChunker):
    def close(self) -> None:
        """Nothing is open."""


def synced(session: Session, options: SyncOptions) -> Report:
    return run_sync(session, options, InlineRunner(), Silence())


def prepared(site: Site, scenario: str) -> tuple[str, Pipeline]:
    """The command that is to fail, and its configuration; all that came before it went well."""
    site.run("sync", configured(8))
    site.is_synced = True
    if scenario == "rebuild":
        return "rebuild", configured(16)
    site.run("rebuild", configured(16))
    if scenario == "rebuild again":  # which drops the first one in the end
        return "rebuild", configured(24)
    if scenario == "rollback":
        return "rollback", configured(16)
    site.run("rollback", configured(16))
    if scenario == "other settings meanwhile":
        with pytest.raises(Crash):
            site.run("rebuild", configured(24), World({12: "before"}, site.look))
        return "rebuild", configured(32)
    return "rebuild", configured(16)


def play(scenario: str, at: int, mode: str, second: int = 0) -> tuple[bool, list[str], list[str]]:
    """Whether the fault happened, which effects there were, and what is wrong at the end."""
    with pytest.MonkeyPatch.context() as patch:
        site = Site(patch)
        command, pipeline = prepared(site, scenario)
        before = Registry(site.ledgers[FIRST]).live()
        world = World({at: mode}, site.look)
        late: list[Any] = []
        for one in (world, World({second: mode}, site.look) if second else None):
            if one is None or (one is not world and not world.fired):
                continue
            try:
                site.run(command, pipeline, one)
            except Crash:
                late += one.late
            else:
                break
            after = Registry(site.ledgers[FIRST]).live()
            if command == "rollback" and after != before:  # the switch is done; a second call would go back again
                command = "sync"
        if world.fired:
            site.run(command, pipeline)
        for effect in late:
            effect()
        site.run("sync", pipeline)
        return world.fired, world.trace, site.holes + _wrong(site, scenario, pipeline)


def _wrong(site: Site, scenario: str, pipeline: Pipeline) -> list[str]:
    registry = Registry(site.ledgers[FIRST])
    rows, live = registry.generations(), registry.live()
    assert live is not None
    assert live.settings is not None
    name = "faulty" if live.number == 1 else f"faulty-{live.number}"
    wrong = site.differences(name, live.settings["embedder"]["dimensions"], live.space)
    wanted = 8 if scenario == "rollback" else configured_dimensions(pipeline)
    if live.settings["embedder"]["dimensions"] != wanted:
        wrong.append(f"the live generation {live.number} has {live.settings}")
    if site.names["faulty-live"] != name:
        wrong.append(f"the name leads to {site.names['faulty-live']}, not to {name}")
    wrong += [f"generation {one.number} is {one.state}" for one in rows if one.state in (BUILDING, LEAVING)]
    kept = {1: "faulty"} | {one.number: f"faulty-{one.number}" for one in rows if one.number > 1}
    there = {collection for collection, store in site.stores.items() if store.count()}
    wrong += [f"{collection} was never dropped" for collection in there - set(kept.values())]
    wrong += [f"{kept[one.number]} is gone" for one in rows if kept[one.number] not in there]
    twice = len(site.paid) - len(set(site.paid))
    return wrong + ([f"{twice} texts were paid twice"] if twice > 12 else [])


def configured_dimensions(pipeline: Pipeline) -> int:
    return int(pipeline.embedder.model_dump()["dimensions"])


def faults(scenario: str) -> list[tuple[int, str]]:
    """Every effect in every mode that happens there."""
    _, effects, wrong = play(scenario, 10**6, "before")
    assert wrong == []
    written = [at for at, effect in enumerate(effects, 1) if effect in ("store.upsert", "store.delete")]
    whole = [(at, mode) for at in range(1, len(effects) + 1) for mode in ("before", "after")]
    return whole + [(at, mode) for at in written for mode in ("torn", "late")]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_fault_at_any_effect_of_a_rebuild_leaves_a_whole_generation_live(scenario: str) -> None:
    """`make faults` takes all of them, and further ones while the first is mended."""
    dice, deadline, healed = random.Random(4), time.monotonic() + SECONDS, 0
    every = faults(scenario)
    plans = [(at, mode, 0) for at, mode in dice.sample(every, len(every))]
    twice = ((*dice.choice(every), dice.randint(1, len(every) // 2)) for _ in count())
    for at, mode, second in chain(plans, twice):
        fired, _, wrong = play(scenario, at, mode, second)
        assert not wrong, (scenario, at, mode, second, wrong[:3])
        healed += fired
        if healed == AT_MOST or (healed >= AT_LEAST and time.monotonic() > deadline):
            return


def test_a_switch_before_the_generation_is_whole_is_noticed() -> None:
    with pytest.MonkeyPatch.context() as patch:
        real = rebuilding._Rebuild._build

        def early(self: Any, target: Pipeline) -> Report:
            self._registry.switch(target.generation, BUILDING)
            return real(self, target)

        patch.setattr(rebuilding._Rebuild, "_build", early)
        patch.setattr(Registry, "switch", _unfenced)
        site = Site(patch)
        command, pipeline = prepared(site, "rebuild")
        site.run(command, pipeline)
        assert site.holes


def _unfenced(self: Registry, number: int, expected: str, overrules: str = "", real: Any = Registry.switch) -> None:
    del expected
    row = next(one for one in self.generations() if one.number == number)
    real(self, number, row.state, overrules)
