"""The tables of deploy/SCALING.md: what so many chunks cost, by the rates that were measured, and a simulation of it.

    python -m tests.benchmarks.scaling

A formula says how long a first sync takes: the slower one of the coordinator and the model, over all workers. The
simulation works the same windows off one by one: four on their way, a pause where a shard ends, pipelines handed to
whichever worker is free. A test holds the two, and the document, together.
"""

import heapq
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

CHUNKS_A_DOCUMENT = 10
TOKENS_A_CHUNK = 200
WINDOW = 8192
IN_FLIGHT = 4
CHUNKS_A_PIPELINE = 100_000_000
DOCUMENTS_A_SHARD = 150_000
HOUR, GIGABYTE, TERABYTE = 3600.0, 1e9, 1e12

# Measured here: see RESULTS.md.
COORDINATOR_SECONDS = 180e-6  # processor time of a chunk, without model and store
NO_OP_SECONDS = 28e-6  # of a document that did not change
LEDGER_POINT, LEDGER_DOCUMENT = 161, 271  # bytes
# Of 1,024 dimensions: a row of the cache takes a page of 8 KiB; text, bookkeeping and index stand beside the vector.
CACHE_TEXT, STORE_POINT = 8235, 4 * 1024 + 2000

# Not measured: a model of 300 million parameters does 600 million operations a token, a GPU 200 million million a
# second.
GPU_TOKENS_A_SECOND = 200e12 / 600e6
API_TOKENS_A_MINUTE = 10e6  # a large account's limit
USD_A_MILLION_TOKENS, USD_A_GPU_HOUR = 0.02, 3.0  # text-embedding-3-small; a rented GPU


@dataclass(frozen=True, slots=True)
class Plan:
    """So many chunks on so many workers, with a GPU each, or an account of a provider for all of them."""

    chunks: int
    workers: int
    has_gpus: bool

    @property
    def documents(self) -> int:
        return self.chunks // CHUNKS_A_DOCUMENT

    @property
    def pipelines(self) -> int:
        return max(1, self.chunks // CHUNKS_A_PIPELINE)

    @property
    def shards(self) -> int:
        """Of each pipeline, to the next power of two."""
        shards = 1
        while shards * DOCUMENTS_A_SHARD < self.documents // self.pipelines:
            shards *= 2
        return shards

    @property
    def used(self) -> int:
        """Workers that have something to do."""
        return min(self.workers, self.pipelines)

    @property
    def model_seconds(self) -> float:
        """Of a chunk, on one worker."""
        if self.has_gpus:
            return TOKENS_A_CHUNK / GPU_TOKENS_A_SECOND
        return TOKENS_A_CHUNK / (API_TOKENS_A_MINUTE / 60) * self.used

    @property
    def hours(self) -> float:
        """The formula."""
        return self.chunks * max(COORDINATOR_SECONDS, self.model_seconds) / self.used / HOUR

    @property
    def usd(self) -> float:
        tokens = self.chunks * TOKENS_A_CHUNK
        return self.gpu_hours * USD_A_GPU_HOUR if self.has_gpus else tokens / 1e6 * USD_A_MILLION_TOKENS

    @property
    def gpu_hours(self) -> float:
        """Of all workers."""
        return self.chunks * self.model_seconds / HOUR if self.has_gpus else 0.0

    def simulated_hours(self) -> float:
        """Pipelines are handed out one after the other."""
        free = [0.0] * self.workers
        each = _pipeline_seconds(self.chunks // self.pipelines, self.shards, self.model_seconds)
        for _ in range(self.pipelines):
            heapq.heappush(free, heapq.heappop(free) + each)
        return max(free) / HOUR


def _pipeline_seconds(chunks: int, shards: int, model_seconds: float) -> float:
    """The coordinator reads and writes with one core; the model works meanwhile."""
    coordinator = model = 0.0
    for _ in range(shards):
        going: deque[float] = deque()
        for size in _windows(chunks // shards):
            if len(going) == IN_FLIGHT:
                coordinator = max(coordinator, going.popleft()) + WINDOW * COORDINATOR_SECONDS / 2
            coordinator += size * COORDINATOR_SECONDS / 2
            model = max(model, coordinator) + size * model_seconds
            going.append(model)
        for embedded in going:
            coordinator = max(coordinator, embedded) + WINDOW * COORDINATOR_SECONDS / 2
    return coordinator


def _windows(chunks: int) -> Iterator[int]:
    for start in range(0, chunks, WINDOW):
        yield min(WINDOW, chunks - start)


PLANS = [
    Plan(chunks, workers, has_gpus)
    for chunks, workers in ((10**6, 1), (10**8, 1), (10**10, 10), (10**10, 50))
    for has_gpus in (True, False)
]


def time_table() -> str:
    """Time and money of a first sync, and the time of one without changes."""
    lines = [
        "| chunks | workers | pipelines x shards | model | first sync | of it GPU | money | no change, each pipeline |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for plan in PLANS:
        model = "a GPU each" if plan.has_gpus else "one account"
        gpu = f"{plan.gpu_hours:,.0f} h" if plan.has_gpus else ""
        calm = plan.documents / plan.pipelines * NO_OP_SECONDS
        lines.append(
            f"| {plan.chunks:,} | {plan.workers} | {plan.pipelines} x {plan.shards} | {model} | {_time(plan.hours)}"
            f" | {gpu} | ${plan.usd:,.0f} | {_time(calm / HOUR)} |"
        )
    return "\n".join(lines)


def size_table() -> str:
    """Bytes at rest."""
    lines = ["| chunks | ledger | cache | collection |", "|---|---|---|---|"]
    for chunks in (10**6, 10**8, 10**10):
        ledger = chunks * LEDGER_POINT + chunks // CHUNKS_A_DOCUMENT * LEDGER_DOCUMENT
        sizes = " | ".join(_size(size) for size in (ledger, chunks * CACHE_TEXT, chunks * STORE_POINT))
        lines.append(f"| {chunks:,} | {sizes} |")
    return "\n".join(lines)


def _time(hours: float) -> str:
    for unit, length in (("d", 24.0), ("h", 1.0), ("min", 1 / 60)):
        if hours >= 2 * length:
            return f"{hours / length:,.0f} {unit}"
    return f"{hours * HOUR:,.0f} s"


def _size(size: float) -> str:
    return f"{size / TERABYTE:,.1f} TB" if size >= TERABYTE else f"{size / GIGABYTE:,.1f} GB"


if __name__ == "__main__":
    sys.stdout.write(f"{time_table()}\n\n{size_table()}\n")
    for plan in PLANS:
        both = f"simulated {plan.simulated_hours():,.2f} h, formula {plan.hours:,.2f} h"
        sys.stdout.write(f"{plan.chunks:,} on {plan.workers}: {both}\n")
