"""What must hold, computed from the source alone: no id, hash or table of the product is used for it."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from tasks.upsert.words.index import state
from tasks.upsert.words.store import WordedStore
from tests.faults.late_store import LateStore
from tests.faults.world import Lines, Machine, vector_of

Record = tuple[str, int, str, str]  # document, position, text, title


def expected(source: Lines) -> Counter[Record]:
    """The records that the collection must hold."""
    return Counter(record for key in source.texts for record in right_version(source, key))


def right_version(source: Lines, key: str) -> frozenset[Record]:
    """What is to be served of a document: for one that is set aside, its last good version."""
    return version_of(key, source.served.get(key, source.texts[key]), source.titles.get(key, ""))


def version_of(key: str, text: str, title: str) -> frozenset[Record]:
    """The records of one version of one document."""
    lines = [line for line in text.split("\n") if line.strip()]
    return frozenset((key, position, line, title) for position, line in enumerate(lines))


def held(machine: Machine) -> Counter[Record]:
    """The records that the collection does hold."""
    return Counter(_record(payload) for _, payload in machine.store.scan())


def _record(payload: Mapping[str, object]) -> Record:
    metadata = payload["metadata"]
    assert isinstance(metadata, dict)
    return metadata["document"], metadata["position"], str(payload["text"]), metadata["title"]


def divergence(machine: Machine, source: Lines) -> list[str]:
    """How the collection and the ledger differ from the source; empty when all is right."""
    want, have = expected(source), held(machine)
    found = [f"missing {record}" for record in (want - have)]
    found += [f"orphan {record}" for record in (have - want)]
    stored = dict(machine.store.scan())
    rows = {point: state for point, state, _ in machine.rows()}
    found += [f"ledger says {state}: {point}" for point, state in rows.items() if state not in ("LIVE", "GONE")]
    found += [f"LIVE but absent: {point}" for point, state in rows.items() if state == "LIVE" and point not in stored]
    found += [f"present but not LIVE: {point}" for point in stored if rows.get(point) != "LIVE"]
    for point, vector in machine.store.vectors(list(stored)).items():
        if not np.allclose(vector, vector_of(str(stored[point]["text"])), atol=1e-5):
            found.append(f"wrong vector: {point}")
    if isinstance(machine.store, WordedStore) and machine.store.states() != {
        point: state(payload) for point, payload in stored.items()
    }:
        found.append("the index of words is not what the store holds")
    return found


def uncovered(machine: Machine) -> list[str]:
    """I1: ids in the store that the ledger does not know."""
    known = {point for point, _, _ in machine.rows()}
    return [point for point, _ in machine.store.scan() if point not in known]


class Availability:
    """I3: once a version of a document was whole, some version stays whole until a source drops the document."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._versions: dict[str, dict[frozenset[Record], bool]] = {}
        self._alive: set[str] = set()
        self._dropped: set[str] = set()
        self.holes: list[str] = []

    def learn(self, source: Lines) -> None:
        """The source is like this now."""
        self._alive = {key for key, text in source.texts.items() if text.strip()}
        self._dropped |= set(self._versions) - self._alive
        for key in set(self._versions) - self._alive:
            self._versions[key] = dict.fromkeys(self._versions[key], False)
        for key in self._alive:
            version = right_version(source, key)
            self._versions.setdefault(key, {}).setdefault(version, False)

    def __call__(self) -> None:
        have = set(held(self._machine))
        for key in self._alive:
            versions = self._versions[key]
            whole = [version for version in versions if version <= have]
            # A deletion that was right when it was sent may land after the document came back.
            is_late = isinstance(self._machine.store, LateStore) and key in self._dropped
            if not whole and any(versions.values()) and not is_late:
                self.holes.append(f"no whole version of {key}")
            for version in whole:
                versions[version] = True
