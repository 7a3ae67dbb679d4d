"""The `headrace` command: reads the arguments, runs one command, says how it went.

With --json one JSON object, and nothing else, is on stdout; an error is one too. `headrace help` lists the exit codes.
"""

import atexit
import errno
import json
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

from flows.command_line import UsageError, parse
from flows.commands.table import COMMANDS
from flows.streams import keep_answer_apart, keep_stderr_writable
from flows.termination import TerminatedError, heed
from tasks.console.terminal import shown
from tasks.system.garbage import look_rarely


def run() -> int:
    """The same as `main`, for a process that ends with it.

    It ends once all exit handlers have run: taking a loaded model apart, object by object, is a quarter of a second.
    """
    _read_names_as_utf8()
    heed()
    keep_stderr_writable()
    if "--json" in sys.argv:
        keep_answer_apart()
    codes: list[int] = []
    atexit.register(_end, codes)  # the handlers of what is imported later run before it
    codes.append(main())
    return codes[0]


def _read_names_as_utf8() -> None:
    """Begin anew where the locale would have file names read in another encoding: documents are named after them.

    What is written to the terminal stays in its own.
    """
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    given = os.environ.get("PYTHONIOENCODING") or f"{getattr(sys.stdout, 'encoding', 'ascii')}:backslashreplace"
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": given}
    os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], environment)  # noqa: S606 - no shell


def _end(codes: Sequence[int]) -> None:
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        return  # nobody reads any more: Python says so, with a code of its own
    if codes:
        os._exit(codes[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = parse(given)
    except UsageError as error:
        speaker = f"headrace {error.command}: " if error.command else "headrace: "
        code = _failed(Namespace(command=error.command, json="--json" in given), "failed", 2, str(error), speaker)
        sys.stderr.write(f"{error.usage}\n")
        return code
    look_rarely()
    try:
        if not options.json:
            _show_log()
        options.stdout = sys.stdout
        with redirect_stdout(sys.stderr):  # a user's function, or a library, may print
            # Imports for half a second, when somebody may press Ctrl-C.
            answer = COMMANDS[options.command].run(options)
    except KeyboardInterrupt as error:
        options.report = _report(error)
        how, code = ("terminated", error.exit_code) if isinstance(error, TerminatedError) else ("interrupted", 130)
        return _failed(options, "interrupted", code, f"{how}; the next run goes on from here")
    except Exception as error:
        if options.debug:
            raise
        return _fail(options, error)
    return _say(
        _as_json(answer.shape) if options.json else shown(answer.text, sys.stdout, answer.emphasis), answer.exit_code
    )


def _show_log() -> None:
    from tasks.console.log import show_log

    show_log()


def _as_json(shape: Any, indent: int | None = 2) -> str:
    is_unicode = sys.stdout and (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(shape, ensure_ascii=not is_unicode, indent=indent)


def _say(text: str, code: int) -> int:
    """The exit code: what cannot be written is a failure, but a reader may leave who has seen enough."""
    try:
        if not sys.stdout:
            raise OSError(errno.EBADF, "stdout is closed")
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer has nowhere to go either, and Python would complain of it at the end.
        if sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"headrace: the answer cannot be written: {error.strerror}; run again\n")
            return 70
    return code


def _fail(options: Namespace, error: Exception) -> int:
    from tasks.errors import HeadraceError, LockedError
    from tasks.system.scarcity import scarcity

    options.report = _report(error)
    speaker = f"headrace {options.command}: "
    if isinstance(error, HeadraceError):
        outcome = "locked" if isinstance(error, LockedError) else "failed"
        return _failed(options, outcome, error.exit_code, str(error), speaker)
    said = f"{type(error).__name__}: {error}".removesuffix(": ")
    if remedy := scarcity(said):
        return _failed(options, "failed", 70, f"{said}; {remedy}", speaker)
    code = _failed(options, "failed", 70, f"unforeseen {said}", speaker)
    sys.stderr.write("run again with --debug to see where it happened\n")
    return code


def _failed(options: Namespace, outcome: str, code: int, message: str, speaker: str = "") -> int:
    """`speaker` begins the line on a terminal; with --json the report of a run that had begun is beside the error."""
    if options.json:
        report = getattr(options, "report", {})
        shape = {**report, "command": options.command, "outcome": outcome, "exit_code": code, "error": message}
        code = _say(_as_json(shape, None if options.command == "watch" else 2), code)  # that has an object a line
    sys.stderr.write(shown(f"{speaker}{message}\n", sys.stderr))
    return code


def _report(error: BaseException) -> Mapping[str, Any]:
    from tasks.errors import kept_report

    return kept_report(error)


if __name__ == "__main__":
    sys.exit(run())
