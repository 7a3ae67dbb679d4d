"""The process that marks a run where it is killed."""

import signal
import subprocess
import sys

import pytest

from tasks.console import states


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_run_ends_whatever_the_process_beside_it_does(is_stopped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "PATIENCE_SECONDS", 0.2 if is_stopped else 60.0)
    command = [sys.executable, "-c", "import sys; sys.exit(not sys.stdin.buffer.read())"]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE)
    if is_stopped:
        guard.send_signal(signal.SIGSTOP)
    states._dismiss(guard)
    assert guard.poll() == (-signal.SIGKILL if is_stopped else 0)
