"""What waits for what among the task runs of a tracked run."""

from typing import Any, cast

import pytest
from prefect import Flow

from config.options import SyncOptions, VerifyOptions
from flows.sync import sync
from flows.tracked import PlainFlow
from flows.verify import verify
from tasks.runners import prefect
from tasks.runners.chain import Chain
from tasks.windows import Refs


class Stage:
    """Stands where a Prefect task would be submitted to a server."""

    def __init__(self, name: str) -> None:
        self.name = self.run = name
        self.waits: dict[str, list[str]] = {}

    def with_options(self, task_run_name: str) -> "Stage":
        self.run = task_run_name
        return self

    def submit(self, _chain: Chain, _handed: object, *, wait_for: Any, return_state: bool) -> str:
        assert not return_state
        self.waits[self.run] = list(wait_for)
        return self.run


def test_each_lane_waits_for_the_window_before(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = [Stage(stage.name) for stage in prefect.STAGES]
    monkeypatch.setattr(prefect, "STAGES", stages)
    runner = prefect.PrefectRunner()
    for _ in range(3):
        runner.start(cast(Chain, object()), Refs(()))
    waits = {run: others for stage in stages for run, others in stage.waits.items() if others}
    assert waits == {
        "load 2": ["chunk 1"],
        "load 3": ["chunk 2"],
        "dedupe 2": ["embed 1"],
        "dedupe 3": ["embed 2"],
        "upsert 3": ["upsert 1"],
    }


@pytest.mark.parametrize(
    ("flow", "parameters"),
    [
        (sync, {"config": "a.yaml", "options": SyncOptions(max_usd=0.5, wait=True)}),
        (verify, {"config": "a.yaml", "options": VerifyOptions()}),
        (verify, {"config": "a.yaml", "options": [1, {"a": 2}]}),
    ],
)
def test_parameters_are_shown_as_prefect_itself_would(flow: Any, parameters: dict[str, Any]) -> None:
    assert isinstance(flow, PlainFlow)
    assert flow.serialize_parameters(parameters) == Flow.serialize_parameters(flow, parameters)
