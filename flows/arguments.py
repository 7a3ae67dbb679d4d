"""What several commands ask for, and what a value on the command line may be."""

import csv
import math
import sys
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.search.permission import Asker

LEAST_INTERVAL, MOST_INTERVAL = 10, 366 * 86_400  # seconds

MODES = ("hybrid", "dense", "text")  # of a search
BOOTSTRAPPED = 200  # queries, unless their number is given
MOST = 1_000_000  # results, or vectors to compare


def add_config(parser: ArgumentParser) -> None:
    """Asks which pipeline."""
    parser.add_argument("config", metavar="CONFIG", help="the pipeline's YAML file")


def add_wait(parser: ArgumentParser) -> None:
    """Asks what to do while another run works on the pipeline."""
    parser.add_argument("--wait", action="store_true", help="wait for another run to end instead of giving up")


def add_paranoid(parser: ArgumentParser) -> None:
    """Asks whether to believe the time stamps of documents."""
    parser.add_argument("--paranoid", action="store_true", help="read and hash every document")


def add_asker(parser: ArgumentParser) -> None:
    """Asks whose search it is."""
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--as", dest="user", metavar="USER", help="only what this user may read, by the `acl` of the sources"
    )
    who.add_argument("--as-admin", action="store_true", help="everything, whoever may read it")
    parser.add_argument(
        "--groups", metavar="A,B", help="the groups that USER is in; one with a comma in it in quotes: '\"A,B\",C'"
    )


def asker_of(options: Namespace) -> "Asker | None":
    """Whose search it is, None where the command does not say; ConfigError for groups of nobody."""
    from tasks.errors import ConfigError
    from tasks.search.permission import ADMIN, read_asker
    from tasks.system.file_system import escaped

    if options.user is None:
        if options.groups is not None:
            raise ConfigError("--groups are those of a user; say --as USER beside it")
        return ADMIN if options.as_admin else None
    groups = next(csv.reader([escaped(options.groups or "")], skipinitialspace=True), [])
    return read_asker(escaped(options.user), groups)


def add_rerank(parser: ArgumentParser) -> None:
    """Asks whether a second model sorts the best results."""
    parser.add_argument(
        "--rerank", action=BooleanOptionalAction, help="let the model of `search.rerank` sort the best results, or not"
    )


def add_judgments(parser: ArgumentParser) -> None:
    """Asks for queries with known answers, or how many are to be made."""
    parser.add_argument("--queries", metavar="FILE", help='JSONL with "_id" and "text", or id and text')
    parser.add_argument("--qrels", metavar="FILE", help="query, document and grade: BEIR's TSV, or TREC's")
    parser.add_argument("--spans", metavar="FILE", help="TSV of query, document, start and end of each answer")
    parser.add_argument(
        "--bootstrap",
        type=positive,
        nargs="?",
        const=BOOTSTRAPPED,
        metavar="N",
        help=f"make N queries (default: {BOOTSTRAPPED}) of the documents' own titles, docstrings and links; these are"
        " left out of a copy of the index, which is asked",
    )
    parser.add_argument(
        "--writer",
        nargs="?",
        const="",
        metavar="MODEL",
        help="let a chat model write these queries, that of `writer` in the configuration or another one of its server",
    )
    parser.add_argument("--chart", metavar="FILE", help="draw it: a file that ends in .png or .html")


def money(text: str) -> float:
    """US dollars, from nothing to all that a number can say."""
    expected = "is not an amount of money; expected US dollars such as 2.50"
    return number(text, 0.0, sys.float_info.max, expected)


def similarity(text: str) -> float:
    """A cosine similarity."""
    return number(text, -1.0, 1.0, "is no cosine similarity; expected a number from -1 to 1, such as 0.4")


def number(text: str, least: float, most: float, otherwise: str) -> float:
    """Both ends may be given; `otherwise` goes on after what was given instead."""
    try:
        given = float(text)
    except ValueError:
        given = math.nan
    if not least <= given <= most:
        raise ArgumentTypeError(f"{text!r} {otherwise}")
    return given


def duration(text: str) -> float:
    """Seconds, from a number with its unit."""
    from tasks.durations import parse_duration
    from tasks.errors import ConfigError

    try:
        return parse_duration(text)
    except ConfigError as error:
        raise ArgumentTypeError(str(error)) from error


def count(text: str) -> int:
    """A whole number from 0 on, within reason."""
    return _whole(text, least=0)


def positive(text: str) -> int:
    """A whole number from 1 on, within reason."""
    return _whole(text, least=1)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not least <= number <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a whole number from {least} to {MOST:,}")
    return number


def interval(text: str) -> int:
    """Seconds between two runs."""
    seconds = duration(text)
    if not LEAST_INTERVAL <= seconds <= MOST_INTERVAL:
        raise ArgumentTypeError(f"{text!r} is no interval from {LEAST_INTERVAL}s to 366d; expected 90s, 15m, 6h or 1d")
    return round(seconds)
