"""`headrace plan`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config, add_paranoid
from tasks.console.answer import Answer

SUMMARY = "say what a sync would do and cost: no embedding call, no write"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks for what changes what a sync would read."""
    add_config(parser)
    add_paranoid(parser)
    parser.add_argument(
        "--model", metavar="MODEL", help="what all of it would cost with another model, see `headrace models`"
    )


def run(options: Namespace, /) -> Answer:
    """Exits as the sync would, as far as reading tells."""
    from config.options import SyncOptions
    from config.read import read_pipeline
    from tasks.console.progress import TerminalProgress
    from tasks.console.text import plan_text
    from tasks.embed.catalogue import section_for
    from tasks.generations import as_beside, as_synced
    from tasks.session import open_session
    from tasks.sync.plan import plan_sync

    pipeline, choose = read_pipeline(Path(options.config)), as_synced
    if options.model:
        embedder = section_for(options.model, pipeline.embedder)
        pipeline, choose = pipeline.model_copy(update={"embedder": embedder}), as_beside
    with (
        open_session(pipeline, choose=choose, read_only=True) as session,
        TerminalProgress(pipeline.name, quiet=options.json) as progress,
    ):
        planned = plan_sync(session, SyncOptions(paranoid=options.paranoid), progress)
    return Answer(planned.as_json(), plan_text(planned), planned.report.exit_code)
