"""Paired rounds, medians, and one table: what was measured, against which gate, on which machine.

Machines differ and neighbours disturb, so what can be a ratio within one run is one, and a round in which other
processes took more than a tenth of the processor is left out where enough others remain.
"""

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

MOST_FOREIGN = 0.1
FEWEST_ROUNDS = 3
UNITS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16")  # what decides a model's speed


@dataclass(frozen=True, slots=True)
class Gate:
    """`bound` must be reached, `aim` is what we would like; `is_ceiling`: smaller is better."""

    bound: float
    aim: float | None = None
    is_ceiling: bool = False

    def passes(self, value: float) -> bool:
        return value <= self.bound if self.is_ceiling else value >= self.bound

    def __str__(self) -> str:
        sign = "<=" if self.is_ceiling else ">="
        return f"{sign} {self.bound:g}" + (f" (aim {self.aim:g})" if self.aim is not None else "")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of the table; `detail` says how it came about, where the value alone may mislead."""

    what: str
    value: float
    unit: str = ""
    gate: Gate | None = None
    detail: str = ""

    @property
    def verdict(self) -> str:
        return "" if self.gate is None else "ok" if self.gate.passes(self.value) else "MISSED"

    def row(self) -> str:
        value = f"{self.value:,.0f}" if abs(self.value) >= 1000 else f"{self.value:.3g}"
        unit = f" {self.unit}" if self.unit else ""
        return f"| {self.what} | {value}{unit} | {self.gate or ''} | {self.verdict} | {self.detail} |"


HEADER = "| what | measured | gate | | detail |\n|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Timing:
    """`foreign`: the share of the machine's processor time that went to processes of somebody else."""

    seconds: float
    foreign: float


def timed(call: Callable[[], object]) -> Timing:
    """Wall time of one call."""
    busy, own, started = _busy_seconds(), _own_seconds(), time.perf_counter()
    call()
    seconds = time.perf_counter() - started
    others = (_busy_seconds() - busy) - (_own_seconds() - own)
    return Timing(seconds, max(0.0, others) / (seconds * (os.cpu_count() or 1)))


def paired(calls: Sequence[Callable[[], object]], rounds: int = 5) -> list[list[float]]:
    """Seconds by call and round, after one round to warm up; the order turns from round to round.

    Rounds that others disturbed are dropped, as long as three are left.
    """
    for call in calls:
        call()
    found: list[list[Timing]] = []
    for number in range(rounds):
        order = [(number + step) % len(calls) for step in range(len(calls))]
        timings = {index: timed(calls[index]) for index in order}
        found.append([timings[index] for index in range(len(calls))])
    calm = [one for one in found if max(timing.foreign for timing in one) <= MOST_FOREIGN]
    kept = calm if len(calm) >= FEWEST_ROUNDS else found
    return [[one[index].seconds for one in kept] for index in range(len(calls))]


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Lowest to highest, for the column of details."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}, {len(values)} rounds"


def machine() -> str:
    """One line: processor, cores, memory, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores, name, python = os.cpu_count(), _processor(), platform.python_version()
    return f"{date.today()}, {name}, {cores} cores, {memory:.0f} GiB, Python {python}"


def say(measurement: Measurement) -> None:
    sys.stdout.write(measurement.row() + "\n")
    sys.stdout.flush()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set(facts.get("flags", "").split())
    units = [
        name for name in ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16") if name in flags
    ]
    family = f" family {facts['cpu family']} model {facts['model']}" if "cpu family" in facts else ""
    return f"{facts.get('model name', platform.processor())}{family} ({' '.join(units) or platform.machine()})"


def _busy_seconds() -> float:
    """Of the whole machine since it was started, all cores; 0 where the system does not tell."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    user, nice, system, _idle, _wait, *interrupts = (int(part) for part in path.read_text().split("\n")[0].split()[1:])
    return (user + nice + system + sum(interrupts[:3])) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Of this process and of those of its children that have ended."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)
