"""Results are kept one file a system, so that each can be measured again alone; the table is made of what is kept."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.harness import machine
from tests.benchmarks.peers.scenario import Result
from tests.benchmarks.peers.setup import HOME
from tests.benchmarks.peers.systems import HEADRACE, SYSTEMS

HEADER = "| | system | wall s | CPU s | of Headrace's, wall and CPU | ms a chunk | embedded | chunks then | peak MB | |"
RULE = "|---|---|---|---|---|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Kept:
    """All results of one system over one corpus."""

    system: str
    embedder: str
    files: int
    machine: str
    results: tuple[Result, ...]


def keep(system: str, embedder: str, files: int, results: Sequence[Result]) -> None:
    path = HOME / "results" / f"{system}-{embedder}-{files}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(Kept(system, embedder, files, machine(), tuple(results))), indent=1) + "\n")


def tables() -> Iterator[str]:
    """Markdown, one table for each corpus and embedder."""
    found = [_read(path) for path in sorted((HOME / "results").glob("*.json"))]
    for embedder, files in sorted({(kept.embedder, kept.files) for kept in found}):
        group = {kept.system: kept for kept in found if (kept.embedder, kept.files) == (embedder, files)}
        machines = sorted({kept.machine for kept in group.values()})
        yield f"### {files:,} files, {embedder}\n\n{'; '.join(machines)}\n"
        yield HEADER
        yield RULE
        yield from _rows(group)
        yield ""


def _rows(group: dict[str, Kept]) -> Iterator[str]:
    ours = _steps(group[HEADRACE]) if HEADRACE in group else {}
    titles = {system.name: system.title for system in SYSTEMS if system.name in group}
    steps = dict.fromkeys(result.step for kept in group.values() for result in kept.results)
    for step in steps:
        for name, title in titles.items():
            if result := _steps(group[name]).get(step):
                yield _row(step, title, result, ours.get(step))


def _row(step: str, title: str, result: Result, ours: Result | None) -> str:
    # No comparison with one that did something else: gave up, or left the store empty.
    is_alike = ours is not None and result.exit_code == ours.exit_code and bool(result.chunks)
    ratio = _ratio(result, ours) if ours and is_alike else ""
    per_chunk = f"{1000 * result.seconds / result.chunks:.2f}" if step == "first sync" and result.chunks else ""
    cells = (
        step, title, f"{result.seconds:.1f}", f"{result.cpu_seconds:.1f}", ratio, per_chunk, _count(result.embedded),
        _count(result.chunks), result.peak_rss_mb, _end(result.exit_code),
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _steps(kept: Kept) -> dict[str, Result]:
    """A step that was repeated is represented by its median."""
    found: dict[str, list[Result]] = {}
    for result in kept.results:
        found.setdefault(result.step, []).append(result)
    return {step: _median(results) for step, results in found.items()}


def _median(results: Sequence[Result]) -> Result:
    middle = statistics.median_low(result.seconds for result in results)
    return next(result for result in results if result.seconds == middle)


def _ratio(result: Result, ours: Result) -> str:
    return f"{result.seconds / ours.seconds:.1f}x, {result.cpu_seconds / ours.cpu_seconds:.1f}x"


def _end(exit_code: int) -> str:
    return "" if not exit_code else f"exit {exit_code}" if exit_code > 0 else "killed, was not done"


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _read(path: Path) -> Kept:
    values = json.loads(path.read_text())
    return Kept(**{**values, "results": tuple(Result(**result) for result in values["results"])})
