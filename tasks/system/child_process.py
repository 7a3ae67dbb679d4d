"""An object in a process of its own: Python runs one thread at a time, and one process cannot use several cores.

`python -m tasks.system.child_process FILE` serves one connection: first what makes the object, then one method call
after the other. The process ends with its parent, even where that is killed: the kernel then closes the other end.

Why none of the standard library's pools: a process of theirs imports the program's main module again, or is a fork of
threads that hold locks; it outlives a parent that is killed, and would go on writing; which of them gets a call is left
to chance, and the object here (a model, an engine) is in one of them; and none keeps a lock's file open for its life.

Messages are pickles, which can run code: both ends are ours and read nothing foreign. What reads hostile files speaks
JSON instead, in `tasks.load.parse.isolated.child`.
"""

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from copy import copy
from socket import socketpair
from typing import TYPE_CHECKING, Any

from tasks.system.garbage import look_rarely
from tasks.system.worker import WorkerDiedError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

END_SECONDS = 10.0
_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1"}  # numpy's spin for a while when it is loaded, and no child multiplies
# A terminal and a supervisor send them to both; the parent decides.
_PARENT_ONLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ChildProcess:
    """A worker that is a process of this machine."""

    def __init__(self, make: Callable[..., object], *arguments: object, inherit: Sequence[int] = ()) -> None:
        """`make(*arguments)` runs there, so both must be picklable; the files `inherit` stay open with it."""
        from multiprocessing.connection import Connection  # every run imports this module, and few need a child

        ours, theirs = socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, with a number
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                pass_fds=(theirs.fileno(), *inherit),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # what a library prints there is no part of the answer to the user
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **_NO_THREADS},
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._connection = Connection(ours.detach())
        self._lock = threading.Lock()
        self._waiting: deque[Future[Any]] = deque()
        self._has_ended = False
        threading.Thread(target=self._receive, name="child answers", daemon=True).start()
        self._ask((make, arguments))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is known to be gone."""
        return self._has_ended

    def call(self, method: str, *arguments: object) -> Any:
        """What the method returns or raises there; WorkerDiedError when the process ends instead."""
        return self.ask(method, *arguments).result()

    def ask(self, method: str, *arguments: object) -> "Future[Any]":
        """Begin the same without waiting for it. Where the object could not be made, every call raises why."""
        return self._ask((method, arguments))

    def close(self) -> None:
        """End the process once it has answered what it was asked; nothing happens where it has ended."""
        self._ask(None)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, request: object) -> "Future[Any]":
        answer: Future[Any] = Future()
        with self._lock:
            if self._has_ended:
                answer.set_exception(WorkerDiedError(self._death()))
                return answer
            self._waiting.append(answer)
            try:
                self._connection.send(request)
            except OSError:
                pass  # it has ended: the thread that receives hears of it too, and tells everyone who waits
            except BaseException:
                self._waiting.remove(answer)  # not picklable: nothing was sent
                raise
        return answer

    def _receive(self) -> None:
        while True:
            try:
                is_result, value = self._connection.recv()
            except (EOFError, OSError):
                break
            answer = self._waiting.popleft()
            if is_result:
                answer.set_result(value)
            else:
                answer.set_exception(value)
        self._process.wait()
        with self._lock:
            self._has_ended = True
            self._connection.close()
            while self._waiting:
                self._waiting.popleft().set_exception(WorkerDiedError(self._death()))

    def _death(self) -> str:
        code = self._process.returncode
        if code is not None and code < 0:
            return f"process {self.pid} was ended by {signal.Signals(-code).name}"
        return f"process {self.pid} ended with {code}"


def serve(connection: "Connection") -> None:
    """Answer until the parent asks for the end, or is gone."""
    try:
        make, arguments = connection.recv()
        is_made, instance = answer(make, arguments)
        connection.send((is_made, None if is_made else instance))
        while request := connection.recv():
            method, arguments = request
            connection.send(answer(getattr(instance, method), arguments) if is_made else (False, instance))
    except (EOFError, OSError):
        return


def answer(call: Callable[..., object], arguments: Sequence[object]) -> tuple[bool, object]:
    """True and what the call returns, or False and what it raises."""
    try:
        return True, call(*arguments)
    except BaseException as error:
        return False, _picklable(error)


def _picklable(error: BaseException) -> BaseException:
    """Some foreign errors cannot be made from their own arguments: they would fail in the parent."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        return copy(error)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def main() -> None:
    """Serve the connection whose file is the first argument."""
    from multiprocessing.connection import Connection

    look_rarely()
    for number in _PARENT_ONLY:
        signal.signal(number, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))
    os._exit(0)  # nothing is left to write, and to take everything apart would keep the parent waiting


if __name__ == "__main__":
    main()
