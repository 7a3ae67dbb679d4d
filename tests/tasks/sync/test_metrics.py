"""The file of metrics holds each run's numbers, whole."""

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
