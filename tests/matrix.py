"""Holds every store to the contract, and writes what each has kept into README's table: `make matrix`, minutes."""

import os
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.contracts.store.trial import Kind

README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- by `make matrix`, from the results of the tests -->\n", "<!-- end of the matrix -->\n"
FAULTS = "test_faults_over_every_durable_store_are_healed"
TESTS = ("tests/contracts/test_store.py", f"tests/faults/test_crashes.py::{FAULTS}")
NO, UNPROVED = "no", "not proved"


def yes(kind: "Kind") -> str:
    return "yes"


def if_durable(kind: "Kind") -> str:
    return "yes" if kind.is_durable else NO


def users(kind: "Kind") -> str:
    if kind.is_exclusive:
        return "one process at a time"
    return ("many machines" if kind.server else "processes of a machine") if kind.is_durable else NO


class Feature(NamedTuple):
    """`proofs` is the module of checks, or the test, that has to pass; `cell` is then said of a kind."""

    title: str
    proofs: str
    cell: "Callable[[Kind], str]"


FEATURES = (
    Feature("a record written twice is there once", "records", yes),
    Feature("text and metadata come back whole", "payloads", yes),
    Feature("filters by value, item, range, absence", "filters", yes),
    Feature("bad vectors refused", "refusals", yes),
    Feature("outlives kill -9", "durability", if_durable),
    Feature("faults at any step of a run healed", FAULTS, if_durable),
    Feature("a name leads to the live collection", "publishing", if_durable),
    Feature("shared by", "sharing", users),
)


def listed() -> "dict[str, Kind]":
    """Every kind of store but a user's own; imported late, so that pytest can explain what fails in there."""
    from tests.contracts.store.kinds import BUCKETS, KINDS, SERVICES

    return {name: kind for name, kind in (KINDS | BUCKETS).items() if name not in SERVICES}


class Results:
    """A plugin of pytest's: which proofs of each kind have passed, and which have not."""

    def __init__(self) -> None:
        self._proofs: dict[str, tuple[str, str]] = {}
        self._outcomes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        for item in items:
            parameters = item.callspec.params
            module = parameters["one"].run.__module__.rpartition(".")[2] if "one" in parameters else FAULTS
            self._proofs[item.nodeid] = parameters["name"], module

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._outcomes[self._proofs[report.nodeid]].add(report.outcome)

    def cell(self, name: str, feature: Feature) -> str:
        """What a kind is said to do: its checks that do not concern it leave no result."""
        said = feature.cell(listed()[name])
        return said if said == NO or self._outcomes[name, feature.proofs] == {"passed"} else UNPROVED


def table(results: Results) -> str:
    rows = [("store", *(feature.title for feature in FEATURES), "proved against")]
    rows += [(name, *(results.cell(name, one) for one in FEATURES), kind.proof) for name, kind in listed().items()]
    rows.insert(1, ("---",) * len(rows[0]))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def rows_of(readme: str) -> list[list[str]]:
    """The cells of the table that stands there."""
    lines = readme.partition(START)[2].partition(END)[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| ---")]


def main() -> int:
    results = Results()
    code = pytest.main(["-q", *TESTS, "-k", "not toy", *sys.argv[1:]], [results])
    readme = README.read_text()
    before, _, rest = readme.partition(START)
    README.write_text(before + START + table(results) + END + rest.partition(END)[2])
    return int(code)


if __name__ == "__main__":
    assert os.environ.get("MATRIX"), "expected MATRIX=1, with which the slow kinds are held to the contract, too"
    sys.exit(main())
