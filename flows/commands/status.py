"""`headrace status`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config
from tasks.console.answer import Answer

SUMMARY = "show the pipeline's state, last runs and quarantine"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks for the pipeline."""
    add_config(parser)


def run(options: Namespace, /) -> Answer:
    """Asks the ledger alone, so it answers while a sync runs."""
    from config.read import read_pipeline
    from tasks.console.text import status_text
    from tasks.session import open_session
    from tasks.sync.status import describe

    with open_session(read_pipeline(Path(options.config)), read_only=True) as session:
        status = describe(session)
    return Answer(status.as_json(), status_text(status))
