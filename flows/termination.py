"""SIGTERM, as supervisors, workers and whoever cancels a run send it, ends a run as Ctrl-C does: in order."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn


class TerminatedError(KeyboardInterrupt):
    """Somebody wants this process to end."""


def terminate(*_: object) -> NoReturn:
    """For `signal.signal`."""
    raise TerminatedError


@contextmanager
def told_to_prefect() -> Generator[None]:
    """Within a flow: Prefect's own signal passes by everything that records a run, so it is raised at the end only."""
    from prefect.exceptions import TerminationSignal

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # a flow that somebody runs in a thread gets no signals
        yield
        return
    try:
        yield
    except TerminatedError as error:
        raise TerminationSignal(signal.SIGTERM) from error
    finally:
        signal.signal(signal.SIGTERM, before)
