"""Random histories of documents, rules, faults and searches against a plain model: nobody sees what is not theirs.

`make faults` plays 100,000 of them in memory, and 10,000 each on Qdrant's engine and on PostgreSQL.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from config.options import SyncOptions
from config.pipeline import Pipeline
from config.sources import FilesSource
from tasks.dedupe.identity import embedding_key
from tasks.ledger.generations import Registry
from tasks.load.labels import Labelled
from tasks.records import Document, DocumentId, DocumentRef, EmbeddingKey, Listing
from tasks.search.permission import Asker
from tasks.search.query import Wanted, search_collection
from tasks.session import Session
from tasks.upsert.memory import MemoryStore
from tests.faults import world
from tests.faults.world import SPACE, Crash, FaultyCache, FaultyLedger, LineChunker, Lines, Machine, World

SECONDS = float(os.environ.get("FAULT_SECONDS", "2"))
IS_WHOLE = SECONDS > 60
HISTORIES = {"memory": 100_000, "qdrant": 10_000, "pgvector": 10_000}
FRESH = 100  # histories on one machine, each beginning with what the one before has left
PATHS = ("a/1", "a/2", "a/deep/3", "b/4", "b/5", "6")
FOLDERS = ("", "a/", "a/deep/", "b/")
WORDS = ("alpha", "beta", "shared", "secret", "x")
PRINCIPALS = ("alice", "bob", "group:x", "group:alice", "everyone", "Alice")
ASKERS = [
    Asker("alice"), Asker("bob", ("x",)), Asker("zoe"), Asker("x"), Asker("everyone"), Asker("zoe", ("alice", "y")),
]  # fmt: skip
BROKEN = "readers: [everyone"
MODES = ("before", "after", "torn")

Rule = tuple[str, ...]
NOBODY: Rule = ()


class Texts:
    """Files with rules, by path."""

    name = "s"

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def list(self) -> Listing:
        return Listing(
            "s", tuple(DocumentRef(DocumentId(f"s:{path}"), "s", path, text) for path, text in self.texts.items())
        )

    def read(self, ref: DocumentRef, /) -> Document:
        return Document(ref, self.texts[ref.path])


class Ruled(Lines):
    """Documents that may say themselves who reads them."""

    def __init__(self) -> None:
        super().__init__({})
        self.inside: dict[str, str] = {}

    def _ref(self, key: str) -> DocumentRef:
        ref = super()._ref(key)
        return ref._replace(hint=f"{ref.hint}/{self.inside.get(key)}")

    def _read(self, ref: DocumentRef) -> Document:
        document = super()._read(ref)
        inside = self.inside.get(ref.path)
        return Document(ref, document.text, metadata={} if inside is None else {"who": inside})


class Guarded(Labelled):
    """The product's own labels over both."""

    def __init__(self, acl: dict[str, Any]) -> None:
        config = FilesSource.model_validate({"path": "memory://s", "name": "s", "acl": acl})
        self.lines = Ruled()
        super().__init__(self.lines, config, has_readers=True)
        self.rules = Texts()
        assert self._sidecars is not None
        self._sidecars._source = self.rules

    @property
    def refused(self) -> set[str]:
        return self.lines.refused

    @property
    def world(self) -> World:
        return self.lines.world

    @world.setter
    def world(self, one: World) -> None:
        self.lines.world = one


class History:
    """One source with rules, the machine that follows it, and what the model says each record's readers are."""

    def __init__(self, store: Any, dice: random.Random) -> None:
        self.dice = dice
        self.default = dice.choice([None, "everyone", "group:x"])
        self.source = Guarded({"sidecar": ["{path}.acl", ".acl"], "field": "who", "default": self.default})
        self.machine = Machine(store)
        self.known: dict[str, set[Rule]] = {}  # after the last whole run; several where nobody can say which of them
        self.since: dict[str, set[Rule]] = {}  # all that held since then
        self.unsure: set[str] = set()  # documents of whose text nobody can say whether it is in the store
        self.served: dict[str, str] = {}

    def play(self) -> None:
        for _ in range(self.dice.randint(1, 4)):
            self.change()
            self.note()
        if self.dice.random() < 0.3:
            self.killed_run()
            self.ask(is_whole=False)
            self.change()
            self.note()
        self.whole_run()
        self.ask(is_whole=True)

    def change(self) -> None:
        dice, lines, rules = self.dice, self.source.lines, self.source.rules.texts
        path = dice.choice(PATHS)
        match dice.randrange(8):
            case 0 | 1:
                lines.texts[path] = "\n".join(f"{dice.choice(WORDS)} {number}" for number in range(dice.randint(1, 4)))
            case 2:
                lines.texts = {one: text for one, text in lines.texts.items() if one != path or len(lines.texts) < 3}
            case 3 | 4:
                rules[dice.choice([f"{path}.acl", *(f"{folder}.acl" for folder in FOLDERS)])] = self.rule()
            case 5:
                for one in [one for one in rules if dice.random() < 0.4]:
                    del rules[one]
            case 6:
                lines.inside.pop(path, None)
                if lines.texts:
                    lines.inside[path] = dice.choice(["", "[everyone", ", ".join(dice.sample(PRINCIPALS, 2))])
            case _:
                lines.unreadable = {one for one in PATHS if dice.random() < 0.2}
                lines.refused = {dice.choice(WORDS) + " 1"} if dice.random() < 0.5 else set()

    def rule(self) -> str:
        names = self.dice.sample(PRINCIPALS, self.dice.randint(0, 2))
        return BROKEN if self.dice.random() < 0.15 else "\n".join(names)

    def readers(self, path: str) -> tuple[Rule, bool]:
        """As a person would work it out, and whether the document itself had to be asked."""
        folders = [path[: end + 1] for end in range(len(path)) if path[end] == "/"]
        for rule in (f"{path}.acl", *(f"{folder}.acl" for folder in reversed(folders)), ".acl"):
            if rule in self.source.rules.texts:
                text = self.source.rules.texts[rule]
                return (NOBODY if text == BROKEN else tuple(filter(None, text.split("\n")))), False
        inside = self.source.lines.inside.get(path)
        if inside is not None:
            return (NOBODY if inside.startswith("[") else tuple(filter(None, inside.split(", ")))), True
        return ((self.default,) if self.default else NOBODY), True

    def note(self) -> None:
        for path in self.source.lines.texts:
            self.since.setdefault(path, set()).add(self.readers(path)[0])

    def whole_run(self) -> None:
        is_tried = self.dice.random() < 0.5
        aside = set() if is_tried else self.aside()
        self.machine.run(self.source, options=SyncOptions(retry_quarantined=is_tried))  # type: ignore[arg-type]  # like Lines
        lines = self.source.lines
        for path in PATHS:
            text = lines.texts.get(path)
            if text is None:
                self.known.pop(path, None)
                self.served.pop(path, None)
                self.unsure.discard(path)
                continue
            readers, is_inside = self.readers(path)
            is_read = path not in lines.unreadable | aside
            if is_read and not self.lost(text):
                self.served[path], self.known[path] = text, {readers}
                self.unsure.discard(path)
            elif not is_inside:
                self.known[path] = {readers}
            else:
                self.known[path] = {NOBODY, *self.known.get(path, ()), *self.since.get(path, ())}
        self.since = {}
        self.note()

    def aside(self) -> set[str]:
        """What was set aside and has not changed: it is not tried again for some minutes."""
        self.source.world = World()
        hints = {ref.id: ref.hint for ref in self.source.list().refs}
        with self.machine.ledger.read() as transaction:
            rows = list(transaction.execute("SELECT document, hint FROM quarantine"))
        return {row[0][2:] for row in rows if row[0] in hints and row[1].partition("/")[2] == hints[row[0]]}

    def lost(self, text: str) -> set[EmbeddingKey]:
        """Refused lines that the cache does not hold: a run may be killed between paying and keeping."""
        refused = self.source.lines.refused & {*text.split("\n")}
        cache = FaultyCache(self.machine.cache, World())
        return cache.missing(embedding_key(SPACE.fingerprint, line) for line in refused)

    def killed_run(self) -> None:
        self.unsure = {*PATHS}
        try:
            self.machine.run(self.source, World({self.dice.randint(1, 25): self.dice.choice(MODES)}))  # type: ignore[arg-type]
        except Crash:
            self.machine.embedder.world = World()

    def ask(self, *, is_whole: bool) -> None:
        if self.machine.store.sentinel() is None:
            return  # the first run was killed before there was anything to search
        for asker in self.dice.sample(ASKERS, 2):
            hits = search_collection(
                self.session(), self.dice.choice(WORDS), Wanted(30, asker=asker, per_document=30, copies=True)
            ).hits
            for hit in hits:
                path = hit.document.removeprefix("s:")
                rules = {*self.known.get(path, ()), *(() if is_whole else self.since.get(path, ()))}
                assert any({*rule} & {*asker.principals} for rule in rules), (
                    asker,
                    path,
                    rules,
                    hit.metadata["readers"],
                )
            if is_whole:
                self.count(asker, len(hits))

    def count(self, asker: Asker, hits: int) -> None:
        """All that is theirs is found, and a limit is filled with it."""
        may = {path: any({*rule} & {*asker.principals} for rule in rules) for path, rules in self.known.items()}
        if not all(len(self.known[path]) == 1 and path not in self.unsure for path in may if may[path]):
            return
        expected = sum(len(self.served[path].split("\n")) for path in may if may[path] and path in self.served)
        assert hits == expected, (asker, self.known, self.served)
        if expected:
            few = Wanted(self.dice.randint(1, expected), asker=asker, per_document=30, copies=True)
            assert len(search_collection(self.session(), "x", few).hits) == few.limit

    def session(self) -> Session:
        machine, still = self.machine, World()
        return Session(
            pipeline=world.PIPELINE,
            sources={"s": self.source},
            chunker=LineChunker(),
            embedder=machine.embedder,
            store=machine.store,
            ledger=FaultyLedger(machine.ledger, still),
            registry=Registry(machine.ledger),
            cache=FaultyCache(machine.cache, still),
        )


@pytest.fixture(params=["memory", "qdrant", "pgvector"])
def stores(request: pytest.FixtureRequest, trial_of: Callable[[str], Any]) -> tuple[str, Callable[[int], Any]]:
    trial = trial_of(request.param) if request.param != "memory" else None
    return request.param, lambda number: trial.make(f"c{number}") if trial else MemoryStore()


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's sources have rules."""
    settings = world.PIPELINE.model_dump(exclude_unset=True) | {"search": {"mode": "dense"}}
    settings["sources"] = [{"kind": "files", "path": "s", "name": "s", "acl": {"readers": []}}]
    monkeypatch.setattr(world, "PIPELINE", Pipeline.model_validate(settings))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("effect", range(1, 26))
@pytest.mark.usefixtures("guarded")
def test_a_new_document_of_a_killed_run_is_not_left_to_those_who_read_it_then(effect: int, mode: str) -> None:
    history = History(MemoryStore(), random.Random(0))
    texts, rules, alice = history.source.lines.texts, history.source.rules.texts, Asker("alice")
    texts["6"], rules[".acl"] = "alpha 1", "alice"
    history.machine.run(history.source)  # type: ignore[arg-type]  # like Lines
    texts["b/4"] = "beta 1\nbeta 2"
    with suppress(Crash):
        history.machine.run(history.source, World({effect: mode}))  # type: ignore[arg-type]
    history.machine.embedder.world = World()
    rules["b/4.acl"] = "bob"
    history.source.lines.unreadable = {"b/4"}
    history.machine.run(history.source)  # type: ignore[arg-type]
    hits = search_collection(history.session(), "beta", Wanted(30, asker=alice, per_document=30)).hits
    assert [hit.document for hit in hits] == ["s:6"]


@pytest.mark.parametrize("part", range(10 if IS_WHOLE else 1))
@pytest.mark.usefixtures("guarded")
def test_nobody_finds_what_they_may_not_read(stores: tuple[str, Callable[[int], Any]], part: int) -> None:
    kind, made = stores
    deadline = time.monotonic() + SECONDS
    played = 0
    while played < HISTORIES[kind] // 10 and (IS_WHOLE or time.monotonic() < deadline or played < 3):
        if played % FRESH == 0:
            history = History(made(played), random.Random(f"{kind} {part} {played}"))
        history.play()
        played += 1
    print(f"{played} histories on {kind}")
