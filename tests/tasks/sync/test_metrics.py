"""The file of metrics holds each run's numbers, whole."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Pipeline


def values(pipeline: Pipeline) -> dict[tuple[str, str], float]:
    text = (pipeline.folder / "metrics" / "trial.prom").read_text()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {sample.labels["pipeline"] for sample in samples} == {"trial"}
    return {(sample.name, sample.labels.get("kind", "")): sample.value for sample in samples}


def test_each_run_writes_its_numbers_anew(pipeline: Pipeline) -> None:
    pipeline.config.write_text(pipeline.config.read_text() + "metrics: metrics/trial.prom\n")
    pipeline.sync()
    first = values(pipeline)
    assert first["headrace_documents", "added"] == 3
    assert first["headrace_chunks", "embedded"] == 4
    assert first["headrace_exit_code", ""] == 0
    (pipeline.folder / "docs/b.md").write_bytes(b"\x00" * 500)
    pipeline.sync()
    second = values(pipeline)
    assert second["headrace_documents", "quarantined"] == 1
    assert second["headrace_exit_code", ""] == 1
    assert second["headrace_last_run_timestamp_seconds", ""] > first["headrace_last_run_timestamp_seconds", ""]
    done = "headrace_last_done_timestamp_seconds", ""
    assert second[done] == first[done] > 0, "it is as old as the last run that was done"


def test_metrics_that_cannot_be_written_fail_no_run(pipeline: Pipeline) -> None:
    pipeline.config.write_text(pipeline.config.read_text() + "metrics: docs/a.md/trial.prom\n")
    done = pipeline.run("sync", str(pipeline.config))
    assert done.code == 0
    assert "metrics: cannot write" in done.err


def test_a_collector_of_opentelemetry_gets_the_same_numbers(pipeline: Pipeline) -> None:
    got: list[ExportMetricsServiceRequest] = []

    class Collector(MetricsServiceServicer):
        def Export(self, request: ExportMetricsServiceRequest, context: object) -> ExportMetricsServiceResponse:  # noqa: N802
            got.append(request)
            return ExportMetricsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    add_MetricsServiceServicer_to_server(Collector(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        pipeline.config.write_text(f"{pipeline.config.read_text()}metrics: http://127.0.0.1:{port}\n")
        assert pipeline.sync()["code"] == 0
    finally:
        server.stop(None)
    metrics = {one.name: one for one in got[0].resource_metrics[0].scope_metrics[0].metrics}
    points = {
        (name, *sorted((label.key, label.value.string_value) for label in point.attributes)): point
        for name, one in metrics.items()
        for point in one.gauge.data_points
    }
    assert points["headrace_documents", ("kind", "added"), ("pipeline", "trial")].as_int == 3
    assert points["headrace_exit_code", ("pipeline", "trial")].as_int == 0
    assert points["headrace_seconds", ("kind", "total"), ("pipeline", "trial")].as_double > 0


def test_without_its_library_the_extra_is_named_and_no_run_fails(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.metric_exporter", None)
    pipeline.config.write_text(f"{pipeline.config.read_text()}metrics: http://127.0.0.1:9\n")
    done = pipeline.run("sync", str(pipeline.config))
    assert done.code == 0
    assert "pip install -e '.[otlp]'" in done.err
