"""`headrace rebuild`."""

from argparse import ArgumentParser, Namespace

from flows.commands import sync
from tasks.console.answer import Answer

SUMMARY = "build a new generation beside the live one, then switch to it"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what a sync does."""
    sync.add_arguments(parser)
    parser.set_defaults(rebuild=True)


def run(options: Namespace, /) -> Answer:
    """Is `headrace sync --rebuild`."""
    return sync.run(options)
