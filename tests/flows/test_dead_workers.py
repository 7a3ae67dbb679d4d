"""Kills runs and workers at random moments: the next run syncs, nothing is wedged, and no dead run looks alive.

KILLS says how many times; SEED repeats them.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import Any

import psutil
import pytest

from tasks.console.states import UNSIGNED_SECONDS
from tests.conftest import Pipeline
from tests.flows.test_prefect import ask, busy_run, deploy, going, wait_for
from tests.prefect_server import prefect_server

KILLS = int(os.environ.get("KILLS", "0"))
SEED = int(os.environ.get("SEED", str(random.randrange(10**6))))
RUN_SECONDS = 300.0
GOING = ["SCHEDULED", "PENDING", "RUNNING", "CANCELLING"]
pytestmark = [pytest.mark.prefect, pytest.mark.skipif(not KILLS, reason="minutes: by `make kills`")]


@contextmanager
def worker(environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Killed in any case, with its runs."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "headrace"]
    with subprocess.Popen(
        command, env=dict(environment), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            kill_with_runs(process)


def kill_with_runs(process: "subprocess.Popen[bytes]") -> None:
    """All at once, as when a machine goes down; each run has a process group of its own."""
    process.send_signal(signal.SIGSTOP)
    for one in [*runs_of(process), process]:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def runs_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


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


def state_of(environment: Mapping[str, str], run: str) -> str:
    return str(ask(environment, f"flow_runs/{run}", {}, method="GET")["state"]["type"])


def await_end(environment: Mapping[str, str], run: str) -> str:
    wait_for(lambda: state_of(environment, run) not in GOING, RUN_SECONDS)
    return state_of(environment, run)


def await_moment(environment: Mapping[str, str], run: str, dice: random.Random, usual: float) -> str:
    """Until a random moment of a run, most of them just after a state that does not last; returns the state then."""
    if state := dice.choice(["", "SCHEDULED", "PENDING", "RUNNING"]):
        wait_for(lambda: state_of(environment, run) not in GOING[: GOING.index(state)], RUN_SECONDS, 0.02)
        time.sleep(dice.uniform(0.0, 1.0))
    else:
        time.sleep(dice.uniform(0.0, usual))
    return state_of(environment, run)


def disturb(
    environment: Mapping[str, str], run: str, killed: "subprocess.Popen[bytes]", how: str, dice: random.Random
) -> None:
    if how == "cancel":
        ask(environment, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
        time.sleep(dice.random())
    if how == "worker":
        left = runs_of(killed)
        killed.kill()
        psutil.wait_procs(left, RUN_SECONDS)  # they notice, and end by themselves, or go on to their end
    else:
        kill_with_runs(killed)


def marked_seconds(environment: Mapping[str, str], killed: str, after: str) -> float:
    """How long the dead run looked alive once the next one had started; nought where it was over before."""
    end = ask(environment, f"flow_runs/{killed}", {}, method="GET")["state"]
    begun = ask(environment, f"flow_runs/{after}", {}, method="GET")["start_time"]
    if end["type"] not in ("CRASHED", "CANCELLED") or not begun:
        return 0.0
    return max(0.0, (datetime.fromisoformat(end["timestamp"]) - datetime.fromisoformat(begun)).total_seconds())


def faults(environment: Mapping[str, str], killed: str, after: str) -> list[str]:
    """What is wrong once the run `after` a kill has ended; one that nobody had taken up runs beside it."""
    is_left = state_of(environment, killed) == "SCHEDULED"
    ends = {await_end(environment, run) for run in ([after, killed] if is_left else [after])}
    found = [] if ends & {"COMPLETED"} else [f"wedged, {ends}"]
    return found + ["left as it was"] * (state_of(environment, killed) in ("RUNNING", "CANCELLING"))


def test_the_next_run_syncs_whatever_died(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Beside it all a run of another pipeline goes on, and is never taken for dead."""
    dice, told, wrong, marked = random.Random(SEED), Counter[str](), list[str](), [0.0]
    with prefect_server(tmp_path_factory.mktemp("prefect")) as server, ExitStack() as stack:
        environment = {**server, "PREFECT_WORKER_QUERY_SECONDS": "2"}
        stack.enter_context(busy_run(environment, other := other_pipeline(pipeline)))
        stack.callback((other.folder / "gate").unlink)
        living = going(environment)
        deployment = deploy(environment, pipeline.config)
        process = stack.enter_context(worker(environment))
        usual = run_seconds(environment, deployment)
        for number in range(KILLS):
            text = f"Written before kill {number}."
            pipeline.write("a.md", f"# Edit {number}\n\n{text}\n")
            run, how = start(environment, deployment), dice.choice(["cancel", "worker", "all", "all"])
            state = await_moment(environment, run, dice, usual)
            disturb(environment, run, process, how, dice)
            process = stack.enter_context(worker(environment))
            after = start(environment, deployment)
            found = faults(environment, run, after)
            found += [] if text in str(pipeline.texts()) else ["not synced"]
            told.update([f"{state}, then {'cancelled and all' if how == 'cancel' else how} killed"])
            wrong += [f"kill {number} ({how} while {state}): {one}" for one in found]
            marked += [marked_seconds(environment, run, after)]
            late = f"latest mark {max(marked):.1f} s"
            print(f"SEED={SEED}: {number + 1} kills, {dict(told)}; {late}; wrong: {wrong}", file=sys.__stderr__)
            assert state_of(environment, living) == "RUNNING", f"{wrong}, and a live run was marked"
        time.sleep(2 * UNSIGNED_SECONDS)  # since the worker was heard of for the last time
        await_end(environment, start(environment, deployment))
        left = {run: state for run, state in states(environment).items() if state in GOING}
    assert (wrong, [*left], max(marked) < 60) == ([], [living], True)


def other_pipeline(pipeline: Pipeline) -> Pipeline:
    """Of the same documents, with a collection and a ledger of its own."""
    folder = pipeline.folder / "other"
    folder.mkdir()
    (folder / "docs").symlink_to(pipeline.folder / "docs")
    config = folder / "other.yaml"
    config.write_text(pipeline.config.read_text().replace("name: trial", "name: other"))
    return Pipeline(folder, config, pipeline.run)
