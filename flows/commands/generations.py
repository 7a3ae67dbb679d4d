"""`headrace generations`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config, positive
from tasks.console.answer import Answer

SUMMARY = "list the generations of the collection, or drop one"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks whether to drop one."""
    add_config(parser)
    parser.add_argument("--drop", type=positive, metavar="N", help="remove generation N; never the live one")
    parser.add_argument(
        "--confirm", type=positive, metavar="N", help="the number again, where a rollback goes back to generation N"
    )


def run(options: Namespace, /) -> Answer:
    """Lists those that are there afterwards."""
    from contextlib import closing
    from dataclasses import asdict

    from config.read import read_pipeline
    from tasks.console.text import generations_text
    from tasks.ledger.generations import Registry
    from tasks.session import open_ledger
    from tasks.sync.generations import drop_generation, generations

    pipeline = read_pipeline(Path(options.config))
    with closing(open_ledger(pipeline, read_only=options.drop is None)) as first:
        if options.drop is not None:
            drop_generation(pipeline, Registry(first.database), options.drop, options.confirm)
        rows = generations(pipeline, first)
    return Answer([asdict(row) for row in rows], generations_text(pipeline.name, rows))
