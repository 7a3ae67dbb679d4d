"""`headrace rollback`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config, add_wait, money
from flows.commands.sync import shown_sync
from tasks.console.answer import Answer

SUMMARY = "go back to the generation that was live before, then sync it"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what the sync after it may do."""
    add_config(parser)
    parser.add_argument("--max-usd", type=money, metavar="USD", help="stop before catching up costs more")
    add_wait(parser)


def run(options: Namespace, /) -> Answer:
    """Switches first: what changed since then is caught up, with the settings that the generation was built with."""
    from config.options import SyncOptions
    from config.read import read_pipeline
    from tasks.console.text import report_text
    from tasks.sync.rebuild import rollback

    wanted = SyncOptions(max_usd=options.max_usd, wait=options.wait)
    report = rollback(read_pipeline(Path(options.config)), wanted, shown_sync(quiet=options.json))
    return Answer(report.as_json(), report_text(report), report.exit_code)
