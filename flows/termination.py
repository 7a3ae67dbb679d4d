"""What supervisors, workers and a closed terminal send ends a run as Ctrl-C does: in order."""

import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class TerminatedError(KeyboardInterrupt):
    """Somebody wants this process to end, and said so by `number`."""

    def __init__(self, number: int) -> None:
        """`number` is the signal's, as the handler gets it."""
        super().__init__(number)
        self.number = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """What a shell says of a process that a signal ended: 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.number


def heed() -> None:
    """Let the signals end this process in order; nohup's, which is ignored from the start, stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)


@contextmanager
def told_to_prefect() -> Generator[None]:
    """Raise Prefect's own signal at the end of a flow only: it passes by everything that records a run."""
    from prefect.exceptions import TerminationSignal

    before: Mapping[signal.Signals, Any] = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _terminate)
    except ValueError:  # a flow that somebody runs in a thread gets no signals
        yield
        return
    try:
        yield
    except TerminatedError as error:
        raise TerminationSignal(error.number) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError(number)
