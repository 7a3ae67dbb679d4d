"""What can be said to `headrace`, and what is wrong with what was said."""

import argparse
import math
from collections.abc import Sequence
from typing import NoReturn

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


class UsageError(Exception):
    """The arguments are wrong; `usage` says what they should be."""

    def __init__(self, message: str, usage: str) -> None:
        """As argparse has them."""
        super().__init__(message)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    """Its errors are told as all others are."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: error: {message}", self.format_usage())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """UsageError where they cannot be understood; --help answers and ends."""
    return _parser().parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="headrace", description="Keeps a vector database equal to its document sources.")
    known = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = _Parser(add_help=False)
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
    parser.add_argument("--max-usd", type=_money, metavar="USD", help="stop before this run costs more")
    parser.add_argument("--wait", action="store_true", help="wait for another run to end instead of giving up")
    parser.add_argument("--paranoid", action="store_true", help="read and hash every document")
    parser.add_argument(
        "--retry-quarantined", action="store_true", help="try documents again that were set aside and have not changed"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--track", action="store_true", help="run as a Prefect flow, with a temporary server if none is set"
    )
    way.add_argument("--direct", action="store_true", help="run without Prefect, also where a server is set")


def _add_verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample", type=_count, default=1000, metavar="N", help="how many vectors to compare (default: 1000; 0: none)"
    )
    parser.add_argument("--repair", action="store_true", help="write again what is wrong, from the cache, then sync")
    parser.add_argument("--wait", action="store_true", help="wait for another run to end instead of giving up")


def _money(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of money")
    return amount


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
