"""The `headrace` command: reads the arguments, runs one command, says how it went.

Exit codes: 0 done, 1 partial, 2 usage or configuration, 3 locked, 4 budget, 5 refused, 25 deletions withheld,
70 anything unforeseen, 130 interrupted. With --json one JSON object, and nothing else, is on stdout.
"""

import argparse
import atexit
import errno
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from tasks.console.answer import Answer
from tasks.garbage import look_rarely

MOST = 1_000_000  # results, or vectors to compare
COMMANDS = {
    "init": "write a commented configuration for a folder",
    "plan": "say what a sync would do and cost: no embedding call, no write",
    "sync": "make the collection equal to the sources",
    "verify": "hold the collection against the ledger; exit 1 when anything is off",
    "search": "find the chunks nearest to a query",
    "status": "show the pipeline's state, last runs and quarantine",
    "schema": "print the JSON Schema of the configuration, for editors",
}


def run() -> int:
    """The same as `main`, for a process that ends with it.

    It ends once all exit handlers have run: taking a loaded model apart, object by object, is a quarter of a second.
    """
    codes: list[int] = []
    atexit.register(_end, codes)  # the handlers of what is imported later run before it
    codes.append(main())
    return codes[0]


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
    options = _parser().parse_args(arguments)
    look_rarely()
    try:
        from flows import commands  # half a second, in which somebody may press Ctrl-C

        answer: Answer = getattr(commands, options.command)(options)
    except KeyboardInterrupt:
        return _failed(options, "interrupted", 130, ("", "interrupted; the next run goes on from here"))
    except Exception as error:
        if options.debug:
            raise
        return _fail(options, error)
    return _say(_as_text(answer.shape) if options.json else answer.text, answer.exit_code)


def _as_text(shape: Any) -> str:
    return json.dumps(shape, ensure_ascii=False, indent=2)


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


def _fail(options: argparse.Namespace, error: Exception) -> int:
    from tasks.errors import HeadraceError

    speaker = f"headrace {options.command}: "
    if isinstance(error, HeadraceError):
        outcome = "locked" if error.exit_code == 3 else "failed"
        return _failed(options, outcome, error.exit_code, (speaker, str(error)))
    code = _failed(options, "failed", 70, (speaker, f"unforeseen {type(error).__name__}: {error}"))
    sys.stderr.write("run again with --debug to see where it happened\n")
    return code


def _failed(options: argparse.Namespace, outcome: str, code: int, told: tuple[str, str]) -> int:
    """`told` is who speaks, for the terminal alone, and what there is to say."""
    speaker, message = told
    if options.json:
        shape = {"command": options.command, "outcome": outcome, "exit_code": code, "error": message}
        code = _say(_as_text(shape), code)
    sys.stderr.write(f"{speaker}{message}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headrace", description="Keeps a vector database equal to its document sources."
    )
    known = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="put one JSON object, and nothing else, on stdout")
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    each = {
        name: known.add_parser(name, help=text, description=text, parents=[shared]) for name, text in COMMANDS.items()
    }
    each["init"].add_argument("folder", nargs="?", default=".", help="the folder to index (default: this one)")
    for name in ("plan", "sync", "verify", "search", "status"):
        each[name].add_argument("config", metavar="CONFIG", help="the pipeline's YAML file")
    _add_run_options(each["sync"])
    each["plan"].add_argument("--paranoid", action="store_true", help="read and hash every document")
    _add_verify_options(each["verify"])
    each["search"].add_argument("query", metavar="QUERY", help="what to look for")
    each["search"].add_argument("--limit", type=_positive, default=5, help="how many results (default: 5)")
    each["search"].add_argument(
        "--filter", action="append", default=[], metavar="KEY=VALUE", help="only records with this metadata; repeatable"
    )
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--confirm-deletes", metavar="PLAN_HASH", help="let exactly these deletions through, once")
    parser.add_argument("--max-usd", type=float, metavar="USD", help="stop before this run costs more")
    parser.add_argument("--wait", action="store_true", help="wait for another run to end instead of giving up")
    parser.add_argument("--paranoid", action="store_true", help="read and hash every document")
    parser.add_argument(
        "--retry-quarantined", action="store_true", help="try documents again that were set aside and have not changed"
    )
    parser.add_argument(
        "--track", action="store_true", help="run as a Prefect flow, with a temporary server if need be"
    )


def _add_verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample", type=_count, default=1000, metavar="N", help="how many vectors to compare (default: 1000; 0: none)"
    )
    parser.add_argument("--repair", action="store_true", help="write again what is wrong, from the cache, then sync")
    parser.add_argument("--wait", action="store_true", help="wait for another run to end instead of giving up")


def _count(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST:,}")
    return number


if __name__ == "__main__":
    sys.exit(run())
