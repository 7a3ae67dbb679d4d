"""`headrace where`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config
from tasks.console.answer import Answer

SUMMARY = "say where other readers find the live collection"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks for the pipeline."""
    add_config(parser)


def run(options: Namespace, /) -> Answer:
    """Answers without a secret."""
    from config.read import read_pipeline
    from tasks.console.text import where_text
    from tasks.session import open_session
    from tasks.sync.status import whereabouts

    with open_session(read_pipeline(Path(options.config)), read_only=True) as session:
        shape = whereabouts(session)
    return Answer(shape, where_text(session.pipeline.name, shape))
