"""A hint is for a person, once."""

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import Pipeline

ROOT = Path(__file__).parents[3]
HINT = "set PREFECT_API_URL"


def told(pipeline: Pipeline, *options: str, environment: Mapping[str, str] = os.environ) -> str:
    """What the command says on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flows.cli", "sync", str(pipeline.config), *options]
    subprocess.run(command, cwd=ROOT, env=dict(environment), stderr=theirs, stdout=subprocess.DEVNULL, check=True)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        said = b""
        try:
            while part := terminal.read(65536):
                said += part
        except OSError:  # how a terminal ends whose other side is closed
            pass
    return said.decode()


def test_a_terminal_hears_of_tracking_once(pipeline: Pipeline) -> None:
    assert HINT not in told(pipeline, "--json")
    assert HINT not in told(pipeline, "--direct")
    assert HINT in told(pipeline)
    assert HINT not in told(pipeline)
    assert (Path(os.environ["XDG_STATE_HOME"]) / "headrace" / "hinted-at-tracking").stat().st_mode & 0o077 == 0


def test_a_pipe_does_not_hear_of_it_and_it_is_kept_for_the_terminal(pipeline: Pipeline) -> None:
    assert HINT not in pipeline.run("sync", str(pipeline.config)).err
    assert not Path(os.environ["XDG_STATE_HOME"]).exists()
    assert HINT in told(pipeline)


def test_where_nothing_can_be_remembered_the_run_goes_on(pipeline: Pipeline) -> None:
    file = pipeline.write("file", "in the way")
    assert HINT in told(pipeline, environment={**os.environ, "XDG_STATE_HOME": str(file)})
