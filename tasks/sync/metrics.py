"""What a run came to as a file in Prometheus' text format, for node_exporter's textfile collector among others."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from tasks.ledger.ledger import Ledger
from tasks.sync.report import Outcome, Report
from tasks.sync.status import run_summaries

RUNS_CONSIDERED = 50

_log = logging.getLogger("headrace")


def write_metrics(path: Path, report: Report, ledger: Ledger) -> None:
    """Writes the file anew, at one stroke; one that cannot be written is told, and is no failure of the run.

    Call once the run is in the ledger. `last_done` outlives runs that fail: it says how old the index is.
    """
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    for name, (text, values) in _gauges(report, ledger).items():
        kinds = ["kind"] if len(values) > 1 else []
        gauge = Gauge(f"headrace_{name}", text, ["pipeline", *kinds], registry=registry)
        for kind, value in values.items():
            gauge.labels(*[report.pipeline, kind][: 1 + len(kinds)]).set(value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), registry)
    except OSError as error:
        _log.warning("metrics: cannot write %s: %s; name another file under `metrics`", path, error.strerror)


def _gauges(report: Report, ledger: Ledger) -> Mapping[str, tuple[str, Mapping[str, float]]]:
    """Name -> what it means, and its values by kind; a single one has no kind."""
    shape = report.as_json()
    ends = [run.finished_at for run in run_summaries(ledger, RUNS_CONSIDERED) if run.outcome is Outcome.DONE]
    done = [end for end in ends if end is not None]
    return {
        "documents": ("Documents of the last run.", shape["documents"]),
        "chunks": ("Chunks of the last run; total: what the collection holds.", shape["chunks"]),
        "tokens": ("Tokens of the last run.", shape["tokens"]),
        "cost_usd": ("What the last run cost.", {"": report.cost_usd}),
        "seconds": ("Seconds of work of the last run.", shape["seconds"]),
        "exit_code": ("How the last run ended: 0 is done.", {"": report.exit_code}),
        "last_run_timestamp_seconds": ("When the last run ended.", {"": time.time()}),
        "last_done_timestamp_seconds": ("When the index was last equal to its sources.", {"": done[0] if done else 0}),
        "lag_seconds": (
            "Time between the last two runs that were done.",
            {"": done[0] - done[1] if len(done) > 1 else 0},
        ),
    }
