"""What several commands ask for, and what a value on the command line may be."""

import math
from argparse import ArgumentParser, ArgumentTypeError

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


def money(text: str) -> float:
    """US dollars, from nothing to all that a number can say."""
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < math.inf:
        raise ArgumentTypeError(f"{text!r} is not an amount of money; expected US dollars such as 2.50")
    return amount


def similarity(text: str) -> float:
    """A cosine similarity."""
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not -1 <= score <= 1:
        raise ArgumentTypeError(f"{text!r} is no cosine similarity; expected a number from -1 to 1, such as 0.4")
    return score


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
