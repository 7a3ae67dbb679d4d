"""What a run came to, for systems that watch: Prometheus by a file, others by a collector of OpenTelemetry.

The file is for node_exporter's textfile collector among others.
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from tasks.errors import MissingExtraError
from tasks.ledger.ledger import Ledger
from tasks.sync.report import Outcome, Report
from tasks.sync.status import run_summaries

RUNS_CONSIDERED = 50
SEND_SECONDS = 10
Gauges = Mapping[str, tuple[str, Mapping[str, float]]]  # name -> what it means, and values by kind; one alone has none

_log = logging.getLogger("headrace")


def write_metrics(place: str, report: Report, ledger: Ledger) -> None:
    """Writes the file anew, at one stroke, or sends to the URL; what does not work is told, and fails no run.

    Call once the run is in the ledger. `last_done` outlives runs that fail: it says how old the index is.
    """
    gauges = _gauges(report, ledger)
    if "://" in place:
        _send(place, report.pipeline, gauges)
    else:
        _write(Path(place), report.pipeline, gauges)


def _send(url: str, pipeline: str, gauges: Gauges) -> None:
    """Over gRPC; certificates and headers are set by OpenTelemetry's own variables in the environment."""
    try:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    except ImportError:
        _log.warning("metrics: %s", MissingExtraError("metrics by OpenTelemetry", "otlp"))
        return
    exporter = OTLPMetricExporter(url, timeout=SEND_SECONDS)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], shutdown_on_exit=False)
    meter = provider.get_meter("headrace")
    for name, (text, values) in gauges.items():
        gauge = meter.create_gauge(f"headrace_{name}", description=text)
        for kind, value in values.items():
            gauge.set(value, {"pipeline": pipeline, **({"kind": kind} if kind else {})})
    provider.shutdown(timeout_millis=SEND_SECONDS * 1000)


def _write(path: Path, pipeline: str, gauges: Gauges) -> None:
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    for name, (text, values) in gauges.items():
        kinds = ["kind"] if len(values) > 1 else []
        gauge = Gauge(f"headrace_{name}", text, ["pipeline", *kinds], registry=registry)
        for kind, value in values.items():
            gauge.labels(*[pipeline, kind][: 1 + len(kinds)]).set(value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), registry)
    except OSError as error:
        _log.warning("metrics: cannot write %s: %s; name another file under `metrics`", path, error.strerror)


def _gauges(report: Report, ledger: Ledger) -> Gauges:
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
