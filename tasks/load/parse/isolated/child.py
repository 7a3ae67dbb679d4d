"""Runs the parsers of foreign formats in a process that may die.

It reads hostile files, so it may come to say anything: its answers are JSON, for a pickle could run code here.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from tasks.errors import DocumentError, ServiceError
from tasks.image import Image
from tasks.load.parse.isolated.confine import MEMORY_BYTES
from tasks.load.parse.isolated.frames import read_frame, write_frame
from tasks.load.parse.text import Parsed, parsed_from

SECONDS = 60.0
SCAN_SECONDS = 1800.0  # for a document that OCR reads: some seconds a page
START_SECONDS = 60.0
DOCUMENTS = 500
ANSWER_BYTES = 1 << 30
MOST_PIXELS = 1 << 22  # that a parser may hand over: a bomb must not go off here either
WORKER = "tasks.load.parse.isolated.worker"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TESSDATA_PREFIX")


class ParserProcess:
    """One warm process, started by the first document, for all threads: one document after the other.

    It gets none of this process's environment but `_PASSED_ON`, and is replaced after `documents` of them, so that
    what a library leaks stays bounded.
    """

    def __init__(
        self, *, seconds: float = SECONDS, documents: int = DOCUMENTS, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        """`seconds` of wall time, and of processor time, for one document."""
        self._seconds = seconds
        self._documents = documents
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._foreign: subprocess.Popen[bytes] | None = None  # kept, or its pipes would be flushed and closed
        self._served = 0

    @property
    def pid(self) -> int | None:
        """None before the first document, and after `close`."""
        return self._process.pid if self._process else None

    def parse(self, parser: str, name: str, content: bytes, *arguments: str) -> Parsed:
        """`parser` is `module:function`, and takes the arguments too.

        DocumentError for a document that it refuses, or that costs its life.

        A death that nothing explains may be somebody else's doing (the kernel short of memory): a second process gets
        the document once more.
        """
        request = json.dumps({"parser": parser, "name": name, "arguments": arguments}).encode()
        with self._lock:
            answer = self._ask(name, request, content) or self._ask(name, request, content)
        if answer is None:
            raise DocumentError(
                "parser-failed", f"{name} kills its parser (out of memory, or a crash); repair or exclude it"
            )
        if "reason" in answer:
            raise DocumentError(str(answer["reason"]), str(answer["message"]))
        return _parsed(name, answer)

    def close(self) -> None:
        """End the process; the next document starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was not yet written need not be
        process.wait()

    def forget(self) -> None:
        """Let go, in a fork: the process, and the lock as it happened to be, belong to the other side."""
        self._lock = threading.Lock()
        self._foreign, self._process = self._process, None

    def _ask(self, name: str, request: bytes, content: bytes) -> Mapping[str, Any] | None:
        """The answer; None where the process died without our doing."""
        process = self._warm()
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._seconds, stop)
        timer.start()
        try:
            return _exchange(process, request, content)
        except (EOFError, OSError, ValueError) as error:
            self.close()
            if late.is_set() or process.returncode == -signal.SIGXCPU:
                raise DocumentError(
                    "parser-timeout",
                    f"{name} keeps its parser busy for more than {self._seconds:g} s; split it, or exclude it",
                ) from error
            return None
        finally:
            timer.cancel()
            self._served += 1

    def _warm(self) -> subprocess.Popen[bytes]:
        if self._process and (self._served >= self._documents or self._process.poll() is not None):
            self.close()
        if self._process is None:
            self._process = self._started()
            self._served = 0
        return self._process

    def _started(self) -> subprocess.Popen[bytes]:
        limits = (str(int(self._seconds) + 1), str(self._memory_bytes))
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module, with two numbers
                [sys.executable, "-P", "-m", WORKER, *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        except OSError as error:
            raise ServiceError(f"the process for parsers cannot be started: {error.strerror}") from error
        timer = threading.Timer(START_SECONDS, process.kill)
        timer.start()
        try:
            _answer_of(process)
        except EOFError as error:
            self._process = process
            self.close()
            raise ServiceError(
                f"the process for parsers ended with {process.returncode} before its first document;"
                f" `python -m {WORKER}` shows why"
            ) from error
        finally:
            timer.cancel()
        return process


def _exchange(process: subprocess.Popen[bytes], request: bytes, content: bytes) -> Mapping[str, Any]:
    if process.stdin is None:
        raise EOFError
    write_frame(process.stdin, request)
    write_frame(process.stdin, content)
    answer: Mapping[str, Any] = json.loads(_answer_of(process))
    return answer


def _answer_of(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdout is None:
        raise EOFError
    return read_frame(process.stdout, ANSWER_BYTES)


def _parsed(name: str, answer: Mapping[str, Any]) -> Parsed:
    try:
        return parsed_from(answer)._replace(image=answer["image"] and _image(answer["image"]))
    except (KeyError, TypeError, ValueError) as error:
        why = f"{name} makes its parser answer nonsense ({error}); exclude it"
        raise DocumentError("parser-failed", why) from error


def _image(answer: Mapping[str, Any]) -> Image:
    """The picture, once its pixels were found to be as many as it says."""
    width, height, columns, rows = sizes = [int(answer[side]) for side in ("width", "height", "columns", "rows")]
    image = Image(width, height, columns, rows, b64decode(answer["packed"], validate=True))
    if min(sizes) < 1 or columns * rows > MOST_PIXELS or not image.digest:
        raise ValueError(f"{columns} x {rows} pixels")
    return image


def _environment() -> dict[str, str]:
    """The same modules as here, and the same order of sets in every process: a text must not depend on its parser."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


SHARED = ParserProcess()
SCANS = ParserProcess(seconds=SCAN_SECONDS)
for _process in (SHARED, SCANS):
    atexit.register(_process.close)
    os.register_at_fork(after_in_child=_process.forget)
