"""The same run on a real Prefect server: tracked from the command, from a deployment, and on a schedule."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
import pytest

from tests import forked
from tests.batch_server import BatchServer
from tests.browser import browser, chromium
from tests.conftest import CONFIG, Pipeline
from tests.odd_server import Gate, OddServer, http
from tests.openai_server import OpenAIServer
from tests.prefect_server import end, prefect_server
from tests.provider_server import Fault
from tests.shard_workers import side_by_side
from tests.terminated_run import terminated_run

pytestmark = pytest.mark.prefect

GATED = """
import sys, time
from pathlib import Path
from tasks.embed.hashing import HashingEmbedder
real, gate = HashingEmbedder._vectors, Path(sys.argv.pop())
def waiting(self, texts):
    gate.touch()
    while gate.exists():
        time.sleep(0.05)
    return real(self, texts)
HashingEmbedder._vectors = waiting
from flows.cli import run
sys.exit(run())
"""


def wait_for(what: Callable[[], Any], seconds: float, pause_seconds: float = 0.3) -> Any:
    """The first answer that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(pause_seconds)
    pytest.fail(f"nothing after {seconds} s")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment of a process that uses a server of its own."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as environment:
        yield environment


@pytest.fixture(scope="module")
def worker(server: Mapping[str, str]) -> Iterator[None]:
    """A process worker that starts in another folder than the project's."""
    with suppress(HTTPError):  # `deploy` has made it, where another test came first
        ask(server, "work_pools/", {"name": "headrace", "type": "process"})
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "headrace"]
    with subprocess.Popen(
        command,
        env={**server, "PREFECT_WORKER_QUERY_SECONDS": "1"},
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        yield
        end(process)


def ask(environment: Mapping[str, str], path: str, body: Mapping[str, Any], method: str = "POST") -> Any:
    """The answer of the server's API."""
    request = urllib.request.Request(
        f"{environment['PREFECT_API_URL']}/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    for seconds in (0.5, 2, 5, 10, 20):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except (HTTPError, TimeoutError) as error:
            if isinstance(error, HTTPError) and error.code != 503:  # its database is locked for a moment
                raise
            time.sleep(seconds)
    pytest.fail(f"{path}: the server is busy for ever")


def headrace(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["-m", "flows.cli", *arguments], environment)


def deploy(environment: Mapping[str, str], config: Path, *options: str) -> str:
    """Register the flows for one configuration; returns the id of the deployment that syncs."""
    answer = headrace(environment, "deploy", str(config), "--json", *options)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert json.loads(answer.stdout)["deployment"] == "sync/trial"
    return str(json.loads(answer.stdout)["deployments"]["sync/trial"])


def runs(environment: Mapping[str, str], deployment: str, state: str) -> list[Any]:
    body = {"deployments": {"id": {"any_": [deployment]}}, "flow_runs": {"state": {"type": {"any_": [state]}}}}
    found: list[Any] = ask(environment, "flow_runs/filter", body)
    return found


def test_a_tracked_run_shows_its_stages_and_its_report(server: Mapping[str, str], pipeline: Pipeline) -> None:
    config = pipeline.config.rename(pipeline.folder / "headrace.yaml")
    answer = headrace(server, "sync", str(config), "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["chunks"]["written"] == 4
    assert len(pipeline.texts()) == 3
    names = wait_for(lambda: finished_tasks(server), 30)
    assert names == ["chunk 1", "dedupe 1", "embed 1", "load 1", "upsert 1"]
    assert {tuple(run["tags"]) for run in ask(server, "task_runs/filter", {})} == {()}, "each tag costs requests"
    (run,) = ask(server, "flow_runs/filter", {})
    assert (run["name"], run["tags"]) == ("sync trial: 3 added", ["headrace"])
    artifacts = ask(server, "artifacts/filter", {})
    assert {artifact["key"] for artifact in artifacts} == {"trial-progress", "trial-summary"}
    page = next(artifact for artifact in artifacts if artifact["key"] == "trial-summary")
    assert (page["type"], "4 written" in page["data"]) == ("markdown", True)
    bar = next(artifact for artifact in artifacts if artifact["key"] == "trial-progress")
    assert (float(bar["data"]), "3 of 3 documents" in bar["description"]) == (100.0, True)
    size = sum(path.stat().st_size for path in (pipeline.folder / "docs").rglob("*") if path.is_file())
    lines = wait_for(lambda: logged(server, run["id"], "documents to read"), 30)
    assert lines == [f"3 documents to read, {size} bytes"]
    for told in ("window 1: 3 documents, 4 chunks embedded, 0 reused; read ", "trial: done\n  documents    3 added"):
        wait_for(partial(logged, server, run["id"], told), 30)
    rebuilt = headrace(server, "rebuild", str(config), "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    report = json.loads(rebuilt.stdout)
    assert (report["generation"], report["switched"], report["chunks"]["embedded"]) == (2, True, 0)
    (named,) = ask(server, "flow_runs/filter", {"flow_runs": {"name": {"like_": "generation 2"}}})
    wait_for(partial(logged, server, named["id"], "generation   2 is live from now on"), 30)
    pipeline.write("b.md", "# Beta\n\nAnother page.\n")
    headrace(server, "sync", str(config))
    (page,) = ask(server, "artifacts/latest/filter", {"artifacts": {"key": {"any_": ["trial-summary"]}}})
    assert re.search(r"### The last \d runs", page["data"])
    picture = page["data"].partition("](data:image/svg+xml;base64,")[2].partition(")")[0]
    assert b"chunks embedded, at most 1<" in base64.b64decode(picture)


def test_shards_that_are_written_side_by_side_are_task_runs(server: Mapping[str, str], pipeline: Pipeline) -> None:
    function = "def documents():\n    for one in range(1000):\n        yield f'r{one}', f'Row {one}', {}\n"
    (pipeline.folder / "rows.py").write_text(function)
    text = side_by_side(pipeline.config.read_text()) + "shards: 2\n"
    pipeline.config.write_text(text.replace("embedder:", "  - {kind: python, function: rows:documents}\nembedder:"))
    answer = headrace(server, "sync", str(pipeline.config), "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["documents"]["added"] == 1003
    (run,) = [one for one in ask(server, "flow_runs/filter", {}) if one["name"] == "sync trial: 1,003 added"]
    filters = {"flow_runs": {"id": {"any_": [run["id"]]}}, "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}

    def finished() -> set[str]:
        names = {one["name"] for one in ask(server, "task_runs/filter", filters)}
        return names & {"load 1", "shard 1 window 1", "shard 2 window 2"}

    wait_for(lambda: len(finished()) == 3, 30)


@pytest.mark.parametrize("way", ["2>&-", "2>/dev/full"])
def test_a_tracked_run_needs_nobody_who_hears_of_it(server: Mapping[str, str], pipeline: Pipeline, way: str) -> None:
    command = f'exec "$0" -m flows.cli sync "$1" --json {way}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(pipeline.config)], env={**server}, stdout=subprocess.PIPE, check=True
    )
    assert json.loads(done.stdout)["outcome"] == "done"


def logged(environment: Mapping[str, str], run: str, words: str) -> list[str]:
    """Lines of a run's log, which the server gets with a delay."""
    found = ask(environment, "logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
    return [line["message"] for line in found if words in line["message"]]


def finished_tasks(environment: Mapping[str, str]) -> list[str]:
    """Names of the completed task runs, once all five are there: the server records them with a delay."""
    found = ask(environment, "task_runs/filter", {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}})
    return sorted(run["name"] for run in found) if len(found) >= 5 else []


def test_a_verification_is_named_after_its_pipeline(server: Mapping[str, str], pipeline: Pipeline) -> None:
    pipeline.sync("--direct")
    config = pipeline.config.rename(pipeline.folder / "other.yaml")
    forked.run(["-m", "flows.verify", str(config)], server, check=True)
    named = ask(server, "flow_runs/filter", {"flow_runs": {"name": {"like_": "verify"}}})
    assert [run["name"] for run in named] == ["verify trial: nothing wrong"]


def test_an_evaluation_says_in_its_name_what_it_measured(server: Mapping[str, str], pipeline: Pipeline) -> None:
    (pipeline.folder / "queries.txt").write_text("q1\tfirst page\nq2\tsecond page\n")
    (pipeline.folder / "qrels.tsv").write_text("q1\ta.md\t1\nq2\tb.md\t1\n")
    quality = f"quality: {{queries: {pipeline.folder}/queries.txt, qrels: {pipeline.folder}/qrels.tsv}}\n"
    pipeline.config.write_text(f"{pipeline.config.read_text()}search: {{mode: text}}\n{quality}")
    pipeline.sync("--direct")
    forked.run(["-m", "flows.evaluate", str(pipeline.config)], server, check=True)
    named = ask(server, "flow_runs/filter", {"flow_runs": {"name": {"like_": "evaluate"}}})
    assert [run["name"] for run in named] == ["evaluate trial: ndcg@10 1.000"]


def test_a_run_that_is_not_wholly_done_fails_in_prefect_too(server: Mapping[str, str], pipeline: Pipeline) -> None:
    headrace(server, "sync", str(pipeline.config))
    (pipeline.folder / "docs/b.md").write_bytes(b"\x00" * 500)
    answer = headrace(server, "sync", str(pipeline.config), "--json")
    assert answer.returncode == 1
    assert json.loads(answer.stdout)["documents"]["quarantined"] == 1
    states = ask(server, "flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}})
    assert states[0]["state"]["name"] == "Partial"
    assert "partial" in states[0]["state"]["message"]
    pages = ask(server, "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [states[0]["id"]]}}})
    (page,) = (artifact["data"] for artifact in pages if artifact["key"] == "trial-summary")
    assert "**Partly done" in page
    assert "| docs:b.md | " in page
    told = wait_for(lambda: told_events(server, {"headrace.sync.partial", "headrace.sync.quarantine"}), 30)
    assert told["headrace.sync.quarantine"]["payload"]["documents"]["quarantined"] == 1
    assert told["headrace.sync.partial"]["resource"]["prefect.resource.id"] == "headrace.pipeline.trial"


def told_events(environment: Mapping[str, str], names: set[str]) -> dict[str, Any]:
    """By name, once all of them are there."""
    events = ask(environment, "events/filter", {"filter": {"event": {"name": [*names]}}})["events"]
    found = {event["event"]: event for event in events}
    return found if {*found} == names else {}


def test_a_foreseen_failure_is_said_once_and_heard_by_alerts(server: Mapping[str, str], pipeline: Pipeline) -> None:
    deployment = deploy(server, pipeline.config, "--work-pool", "nobody")
    pipeline.config.unlink()
    run = ask(server, f"deployments/{deployment}/create_flow_run", {})["id"]
    forked.run(["-m", "prefect.engine", run], {**server, "PREFECT__FLOW_RUN_ID": run})  # as a worker starts it
    name, message = state_of(server, run)
    assert (name, "trial.yaml: no such file" in message) == ("Failed", True)
    wait_for(partial(logged, server, run, "no such file"), 30)
    assert logged(server, run, "Traceback") == []
    failed = {"filter": {"event": {"name": ["headrace.sync.failed"]}, "related": {"id": [f"prefect.flow-run.{run}"]}}}
    (told,) = wait_for(lambda: ask(server, "events/filter", failed)["events"], 30)
    assert told["payload"]["notes"] == [message]


@contextmanager
def busy_run(environment: Mapping[str, str], pipeline: Pipeline) -> Iterator[forked.Forked]:
    """A tracked run whose model is at work until the file `gate` goes."""
    gate = pipeline.folder / "gate"
    with forked.Forked(["-c", GATED, "sync", str(pipeline.config), "--json", str(gate)], environment) as process:
        wait_for(gate.exists, 60)
        yield process


def state_of(environment: Mapping[str, str], run: str) -> tuple[str, str]:
    (found,) = ask(environment, "flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    return found["state"]["name"], found["state"]["message"]


def going(environment: Mapping[str, str]) -> str:
    (run,) = ask(environment, "flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}})
    return str(run["id"])


def test_a_killed_run_is_marked_at_once(server: Mapping[str, str], pipeline: Pipeline) -> None:
    with busy_run(server, pipeline) as process:
        run = going(server)
        process.kill()
        wait_for(lambda: state_of(server, run)[0] == "Crashed", 180)


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_a_run_that_is_killed_with_all_beside_it_is_marked_by_the_next_one(
    server: Mapping[str, str], pipeline: Pipeline, place: str
) -> None:
    """By its process where that was here, by its lease where it was elsewhere: containers change their names."""
    with busy_run(server, pipeline) as process:
        for beside in psutil.Process(process.pid).children(recursive=True):
            beside.kill()
        process.kill()
        killed = going(server)
    (pipeline.folder / "gate").unlink()
    if place == "elsewhere":
        ask(server, f"flow_runs/{killed}/labels", {"headrace.process": "elsewhere 1 1"}, method="PATCH")
    assert state_of(server, killed)[0] == "Running"
    assert headrace(server, "sync", str(pipeline.config)).returncode == 0
    assert state_of(server, killed) == ("Crashed", "The process died; the next run goes on from there.")


def test_a_run_beside_another_is_skipped_at_once_and_names_it(server: Mapping[str, str], pipeline: Pipeline) -> None:
    with busy_run(server, pipeline) as process:
        first = going(server)
        second = headrace(server, "sync", str(pipeline.config), "--json")
        assert (second.returncode, json.loads(second.stdout)["outcome"]) == (3, "locked")
        body = {"flow_runs": {"state": {"name": {"any_": ["Skipped"]}}}}
        (skipped,) = ask(server, "flow_runs/filter", body)
        assert f"is held by process {process.pid} on " in skipped["state"]["message"]
        assert state_of(server, first)[0] == "Running", "who is alive is left alone"
        forked.run(["-m", "flows.verify", str(pipeline.config)], server)
        (skipped,) = [run for run in ask(server, "flow_runs/filter", body) if run["name"] == "verify trial"]
        assert f"is held by process {process.pid} on " in skipped["state"]["message"]
        (pipeline.folder / "gate").unlink()
        assert json.loads(process.communicate(timeout=60)[0])["outcome"] == "done"
    assert state_of(server, first)[0] == "Completed"


def test_a_server_that_falls_silent_does_not_stop_the_run(server: Mapping[str, str], pipeline: Pipeline) -> None:
    """It says so at the end, with what is done in place."""
    away = {**server, "PREFECT_API_REQUEST_TIMEOUT": "3", "PREFECT_CLIENT_MAX_RETRIES": "0"}
    with (
        Gate(server["PREFECT_API_URL"]) as gate,
        busy_run({**away, "PREFECT_API_URL": gate.url}, pipeline) as process,
    ):
        gate.silence()
        (pipeline.folder / "gate").unlink()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 70, err
    assert "the Prefect server does not answer" in json.loads(out)["error"]
    assert pipeline.run("status", str(pipeline.config), "--json").json["runs"][0]["outcome"] == "done"
    assert len(pipeline.texts()) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_tracked_run_that_is_terminated_is_recorded_and_crashed(
    server: Mapping[str, str], pipeline: Pipeline, number: signal.Signals, code: int
) -> None:
    done = terminated_run(pipeline, server, number, is_forked=True)
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (code, "interrupted")
    crashed = {"flow_runs": {"state": {"type": {"any_": ["CRASHED"]}}}, "sort": "START_TIME_DESC", "limit": 1}
    (run,) = ask(server, "flow_runs/filter", crashed)
    assert run["state"]["message"] == "Execution was aborted by a termination signal."
    assert pipeline.run("status", str(pipeline.config), "--json").json["runs"][0]["outcome"] == "interrupted"


def test_a_server_that_is_not_there_is_named(server: Mapping[str, str], pipeline: Pipeline) -> None:
    away = {**server, "PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_CLIENT_MAX_RETRIES": "0"}
    done = headrace(away, "sync", str(pipeline.config), "--track", "--json")
    assert done.returncode == 70
    assert "the Prefect server at http://127.0.0.1:9/api does not answer" in json.loads(done.stdout)["error"]
    assert "unset PREFECT_API_URL" in done.stderr


@pytest.mark.parametrize(
    ("patience", "code"), [({}, 0), ({"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "1"}, 70)]
)
def test_a_run_may_have_a_server_of_its_own(pipeline: Pipeline, patience: Mapping[str, str], code: int) -> None:
    """Prefect waits for it for 20 s, within which a busy machine has not made its database."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-m", "flows.cli", "sync", str(pipeline.config), "--track", "--json"]
    environment = {**alone, **patience, "PREFECT_HOME": str(pipeline.folder / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert done.returncode == code, done.stderr
    assert told["outcome"] == "done" or "--track starts a server for the run alone" in told["error"]


@pytest.mark.usefixtures("worker")
def test_a_deployment_runs_from_its_form(server: Mapping[str, str], pipeline: Pipeline) -> None:
    deployment = deploy(server, pipeline.config)
    path, form = f"deployments/{deployment}/create_flow_run", {"dry_run": True, "paranoid": True}
    with pytest.raises(HTTPError) as wrong:
        ask(server, path, {"parameters": {"options": {"max_usd": -1}}})
    assert "less than the minimum of 0" in wrong.value.read().decode()
    ask(server, path, {"parameters": {"options": form}})
    done = wait_for(lambda: runs(server, deployment, "COMPLETED"), 180)
    assert done[0]["name"] == "sync trial: plan"
    assert not (pipeline.folder / "db").exists()


@pytest.mark.skipif(chromium() is None, reason="no Chromium here; CHROMIUM names one")
@pytest.mark.usefixtures("worker")
def test_somebody_presses_run_in_a_browser_and_reads_the_page(server: Mapping[str, str], pipeline: Pipeline) -> None:
    deployment = deploy(server, pipeline.config)
    site = server["PREFECT_API_URL"].removesuffix("/api")
    with browser(pipeline.folder / "browser") as page:
        page.open(f"{site}/v2/deployments/deployment/{deployment}/run")
        page.wait_for("document.body.innerText.includes('PLAN_HASH of the deletions that may go through.')")
        page.click("Submit")
        wait_for(lambda: runs(server, deployment, "COMPLETED"), 180)
        (shown,) = ask(server, "artifacts/latest/filter", {"artifacts": {"key": {"any_": ["trial-summary"]}}})
        page.open(f"{site}/v2/artifacts/artifact/{shown['latest_id']}")
        page.wait_for("document.body.innerText.includes('Done: the collection is equal to its sources.')")


@pytest.mark.usefixtures("worker")
def test_a_run_that_watches_tells_of_each_change_until_it_is_cancelled(
    server: Mapping[str, str], pipeline: Pipeline
) -> None:
    answer = json.loads(headrace(server, "deploy", str(pipeline.config), "--json").stdout)
    path = f"deployments/{answer['deployments']['watch/trial']}/create_flow_run"
    run = ask(server, path, {"parameters": {"options": {"every_seconds": 3600}}})["id"]

    def name() -> str:
        return str(ask(server, f"flow_runs/{run}", {}, method="GET")["name"])

    wait_for(lambda: name() == "watch trial: 3 added", 180)
    pipeline.write("new.md", "# New\n\nIt is found at once.\n")
    wait_for(lambda: name() == "watch trial: 1 added", 60)
    wait_for(partial(logged, server, run, "documents    1 added"), 30)
    assert "It is found at once." in str(pipeline.texts())
    ask(server, f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    wait_for(lambda: state_of(server, run)[0] == "Cancelled", 60)


@pytest.mark.usefixtures("worker")
def test_a_webhook_starts_a_run_as_deploy_says(server: Mapping[str, str], pipeline: Pipeline) -> None:
    told = headrace(server, "deploy", str(pipeline.config)).stdout
    command = next(line.strip() for line in told.splitlines() if "curl" in line)
    answer = subprocess.run(command, shell=True, env={**server}, check=True, capture_output=True).stdout
    started = json.loads(answer)
    assert started["parameters"] == {"config": str(pipeline.config), "options": {"wait": True}}
    wait_for(lambda: state_of(server, started["id"])[0] == "Completed", 180)
    assert len(pipeline.texts()) == 3


def test_what_our_own_log_says_is_in_the_log_of_the_run(server: Mapping[str, str], pipeline: Pipeline) -> None:
    pipeline.config.write_text(f"{pipeline.config.read_text()}metrics: /proc/none/trial.prom\n")
    answer = headrace(server, "sync", str(pipeline.config), "--json")
    assert answer.returncode == 0, answer.stderr
    (run,) = ask(server, "flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})
    wait_for(partial(logged, server, run["id"], "metrics: cannot write /proc/none/trial.prom"), 30)
    assert answer.stderr.count("metrics: cannot write") == 1


def test_an_alert_arrives_where_its_block_says(server: Mapping[str, str], pipeline: Pipeline) -> None:
    with OddServer(http("200 OK")) as hook:
        save = (
            "from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block;"
            f" Block(name='hook', url='{hook.url}/', json_data={{'text': '{{{{subject}}}} {{{{body}}}}'}})"
            ".save('hook', overwrite=True)"
        )
        forked.run(["-c", save], server, check=True)
        deploy(server, pipeline.config, "--alert", "custom-webhook/hook")
        (pipeline.folder / "docs/b.md").write_bytes(b"\x00" * 500)
        headrace(server, "sync", str(pipeline.config))
        wait_for(lambda: any(b"headrace.sync.quarantine" in one for one in hook.requests), 60)
        pipeline.write("c.md", "# Gamma\n\nA page that a run dies of.\n")
        with busy_run(server, pipeline) as process:
            process.kill()
        (pipeline.folder / "gate").unlink()
        pipeline.config.write_text(pipeline.config.read_text().replace("./docs", "./nowhere"))
        headrace(server, "sync", str(pipeline.config))
        wait_for(lambda: any(b"a run died" in one for one in hook.requests), 60)
        wait_for(lambda: any(b"nowhere does not exist" in one for one in hook.requests), 60)
    (quarantined,) = [one for one in hook.requests if b"headrace.sync.quarantine" in one]
    assert b"3 listed, 2 added, 1 quarantined" in quarantined


def test_a_deployment_is_brought_up_to_date_and_alerts_are_made_once(
    server: Mapping[str, str], pipeline: Pipeline
) -> None:
    save = (
        "from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block;"
        " Block(name='ops', url='http://127.0.0.1:9/').save('ops', overwrite=True)"
    )
    forked.run(["-c", save], server, check=True)
    first = deploy(server, pipeline.config, "--cron", "0 6 * * *", "--alert", "custom-webhook/ops")
    (found,) = ask(server, "deployments/filter", {"deployments": {"id": {"any_": [first]}}})
    assert [one["schedule"]["cron"] for one in found["schedules"]] == ["0 6 * * *"]
    assert found["concurrency_limit"] is None
    assert deploy(server, pipeline.config, "--alert", "custom-webhook/ops") == first
    (found,) = ask(server, "deployments/filter", {"deployments": {"id": {"any_": [first]}}})
    assert found["schedules"] == []
    quality = "quality: {queries: ./queries.txt, qrels: ./qrels.tsv}\n"
    pipeline.config.write_text(pipeline.config.read_text() + quality)
    deploy(server, pipeline.config, "--evaluate-every", "1d")
    all_deployments = ask(server, "deployments/filter", {})
    every = {one["schedule"]["interval"] for named in all_deployments for one in named["schedules"]}
    assert every == {86400.0}
    names = [one["name"] for one in ask(server, "automations/filter", {})]
    assert len(names) == len(set(names)) == 7
    missing = headrace(server, "deploy", str(pipeline.config), "--alert", "slack-webhook/none")
    assert (missing.returncode, "Prefect has no such block" in missing.stderr) == (2, True)


@pytest.mark.usefixtures("worker")
def test_a_schedule_fires(server: Mapping[str, str], pipeline: Pipeline) -> None:
    deployment = deploy(server, pipeline.config, "--interval", "15s")

    def fired(*states: str) -> list[Any]:
        return [run for state in states for run in runs(server, deployment, state) if run["auto_scheduled"]]

    wait_for(lambda: fired("PENDING", "RUNNING", "COMPLETED"), 240)
    ask(server, f"deployments/{deployment}/pause_deployment", {})  # or it fires again and again where a run takes long
    wait_for(lambda: fired("COMPLETED"), 240)
    assert len(pipeline.texts()) == 3


def test_a_refused_key_ends_a_tracked_run_at_once(
    server: Mapping[str, str], pipeline: Pipeline, openai_server: OpenAIServer
) -> None:
    settings = f"kind: openai, api_key: '${{OPENAI_KEY}}', base_url: '{openai_server.url}', dimensions: 16"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    answer = headrace({**server, "OPENAI_KEY": "sk-wrong"}, "sync", str(pipeline.config), "--json")
    assert answer.returncode == 2
    assert "OPENAI_API_KEY" in json.loads(answer.stdout)["error"]
    assert "sk-wrong" not in answer.stdout + answer.stderr
    assert len(openai_server.requests) == 1, "a refused key is not tried again"
    pages = ask(server, "artifacts/filter", {"artifacts": {"key": {"any_": ["trial-summary"]}}})
    (page,) = (one["data"] for one in pages if "OPENAI\\_API\\_KEY" in one["data"])
    assert "**Failed: mend what is named below" in page


def test_a_tracked_run_pays_in_batches(server: Mapping[str, str], pipeline: Pipeline) -> None:
    with BatchServer() as batches:
        settings = (
            f"kind: openai, delivery: batch, api_key: '${{OPENAI_KEY}}', base_url: '{batches.url}', dimensions: 16"
        )
        pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
        answer = headrace({**server, "OPENAI_KEY": batches.key}, "sync", str(pipeline.config), "--json")
        assert (answer.returncode, json.loads(answer.stdout)["chunks"]["embedded"]) == (0, 4)
        assert (len(batches.worked), batches.requests) == (4, [])


KEY = "sk-canary-6d1f0c9b7e"
WORDS = "the canary sings in cellar nineteen"


def test_a_key_and_a_text_show_nowhere_however_a_run_fails(
    server: Mapping[str, str], pipeline: Pipeline, openai_server: OpenAIServer
) -> None:
    """The key comes from a Secret block; servers that repeat what they were sent are the worst case."""
    save = f"from prefect.blocks.system import Secret; Secret(value={KEY!r}).save('canary', overwrite=True)"
    forked.run(["-c", save], server, check=True)
    settings = f"kind: openai, api_key: '${{secret:canary}}', base_url: '{openai_server.url}', dimensions: 16"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    pipeline.write("secret.md", f"# Page\n\n{WORDS}\n")
    environment = {**server, "XDG_STATE_HOME": str(pipeline.folder / "user-state")}
    repeated = f"Bad input '{WORDS}' sent with the key {KEY}"
    printed = ""
    openai_server.key = KEY
    for fault, code in (
        (Fault(400, message=repeated), 70),
        (Fault(401, message=repeated), 2),
        (Fault(429, code="insufficient_quota", message=repeated), 70),
        (None, 1),
    ):
        openai_server.faults.clear()
        openai_server.faults.extend([fault] * 50 if fault else ())
        openai_server.refused = set() if fault else {f"# Page\n\n{WORDS}"}
        answer = headrace(environment, "sync", str(pipeline.config), "--json")
        printed += answer.stdout + answer.stderr
        assert answer.returncode == code, printed
    assert WORDS in " ".join(text for request in openai_server.requests for text in request), "it was sent"
    assert KEY not in printed
    assert WORDS not in printed
    files = [path for folder in (Path(server["PREFECT_HOME"]), pipeline.folder) for path in folder.rglob("*")]
    content = {path: path.read_bytes() for path in files if path.is_file()}
    assert len(content) > 10
    assert [path for path, data in content.items() if KEY.encode() in data] == []
    told = [path for path, data in content.items() if WORDS.encode() in data]
    assert told == [pipeline.folder / "docs" / "secret.md"]
