"""`headrace verify`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config, add_wait, count
from tasks.console.answer import Answer

SUMMARY = "hold the collection against the ledger; exit 1 if anything is off"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks how much to compare, and whether to mend."""
    add_config(parser)
    parser.add_argument(
        "--sample", type=count, default=1000, metavar="N", help="how many vectors to compare (default: 1000; 0: none)"
    )
    parser.add_argument("--repair", action="store_true", help="write again what is wrong, from the cache, then sync")
    add_wait(parser)


def run(options: Namespace, /) -> Answer:
    """Exits with 1 when anything is off, or as the sync did that mended it."""
    from config.options import VerifyOptions
    from config.read import read_pipeline
    from tasks.console.progress import TerminalProgress
    from tasks.console.text import verification_text
    from tasks.runners.threads import ThreadRunner
    from tasks.session import open_session
    from tasks.sync.verify import verify

    pipeline = read_pipeline(Path(options.config))
    wanted = VerifyOptions(sample=options.sample, repair=options.repair, wait=options.wait)
    with (
        open_session(pipeline, read_only=not options.repair) as session,
        TerminalProgress(pipeline.name, quiet=options.json) as progress,
    ):
        done = verify(session, wanted, ThreadRunner(), progress)
    return Answer(done.as_json(), verification_text(done), 0 if done.ok else done.exit_code or 1)
