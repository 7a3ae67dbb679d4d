"""Kills runs and workers at random moments: the next run syncs, nothing is wedged, and no dead run looks alive.

KILLS says how many times; SEED repeats them.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.conftest import Pipeline
from tests.flows.test_prefect import ask, deploy, wait_for
from tests.prefect_server import prefect_server

KILLS = int(os.environ.get("KILLS", "0"))
SEED = int(os.environ.get("SEED", str(random.randrange(10**6))))
RUN_SECONDS = 300.0
ALIVE = ["PENDING", "RUNNING", "CANCELLING"]
pytestmark = [pytest.mark.prefect, pytest.mark.skipif(not KILLS, reason="minutes: by `make kills`")]


@contextmanager
def worker(environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """With its runs in one process group, as on a machine that goes down; killed in any case."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "headrace"]
    with subprocess.Popen(
        command, env=dict(environment), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def states(environment: Mapping[str, str]) -> dict[str, str]:
    """Of all runs, by id."""
    found: list[dict[str, Any]] = []
    while page := ask(environment, "flow_runs/filter", {"limit": 200, "offset": len(found)}):
        found += page
    return {run["id"]: run["state"]["type"] for run in found}


def start(environment: Mapping[str, str], deployment: str) -> str:
    return str(ask(environment, f"deployments/{deployment}/create_flow_run", {})["id"])


def run_seconds(environment: Mapping[str, str], deployment: str) -> float:
    """What an undisturbed run takes from its order to its end."""
    begun = time.monotonic()
    run = start(environment, deployment)
    wait_for(lambda: states(environment)[run] == "COMPLETED", RUN_SECONDS)
    return time.monotonic() - begun


def disturb(environment: Mapping[str, str], run: str, worker_process: "subprocess.Popen[bytes]", how: str) -> None:
    if how == "cancel":
        ask(environment, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
        time.sleep(random.random())
    if how == "worker":
        worker_process.kill()  # its runs notice, and end by themselves
    else:
        os.killpg(worker_process.pid, signal.SIGKILL)


def test_the_next_run_syncs_whatever_died(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> None:
    dice = random.Random(SEED)
    seen: set[str] = set()
    with prefect_server(tmp_path_factory.mktemp("prefect")) as environment:
        deployment = deploy(environment, pipeline.config)
        with worker(environment):
            usual = run_seconds(environment, deployment)
        for number in range(KILLS):
            text = f"# Edit {number}\n\nWritten before kill {number}.\n"
            pipeline.write("a.md", text)
            with worker(environment) as process:
                run = start(environment, deployment)
                time.sleep(dice.uniform(0.0, usual))
                seen.add(states(environment)[run])
                disturb(environment, run, process, dice.choice(["cancel", "worker", "all", "all"]))
            with worker(environment):
                after = start(environment, deployment)
                ended = wait_for(lambda after=after: ended_state(environment, after), RUN_SECONDS)
            assert ended == "COMPLETED", f"SEED={SEED}, kill {number}: wedged"
            stored = " ".join(chunk for chunks in pipeline.texts().values() for chunk in chunks)
            assert f"Written before kill {number}." in stored, f"SEED={SEED}, kill {number}"
            others = {one: state for one, state in states(environment).items() if one != after}
            left = {one for one, state in others.items() if state in ALIVE}
            assert not any(others[one] in ("RUNNING", "CANCELLING") for one in left), f"SEED={SEED}, kill {number}"
    sys.stderr.write(f"{KILLS} kills, states at the moment: {sorted(seen)}\n")


def ended_state(environment: Mapping[str, str], run: str) -> str:
    state = states(environment)[run]
    return state if state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else ""
