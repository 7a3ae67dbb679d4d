"""`headrace sync`."""

import os
import sys
from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flows.arguments import add_config, add_paranoid, add_wait, money
from tasks.console.answer import Answer

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from config.options import SyncOptions
    from config.prefect_api import PrefectApi
    from tasks.session import Session
    from tasks.sync.rebuild import Sync
    from tasks.sync.report import Report

SUMMARY = "make the collection equal to the sources"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what this one run may do beside its configuration."""
    add_config(parser)
    parser.add_argument("--confirm-deletes", metavar="PLAN_HASH", help="let exactly these deletions through, once")
    parser.add_argument("--max-usd", type=money, metavar="USD", help="stop before this run costs more")
    add_wait(parser)
    add_paranoid(parser)
    parser.add_argument(
        "--retry-quarantined", action="store_true", help="try documents again that are quarantined and have not changed"
    )
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="make collection and ledger this pipeline's own where they are another's",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="build a new generation beside the live one, as `headrace rebuild` does"
    )
    parser.add_argument(
        "--force", action="store_true", help="with --rebuild: switch also to a generation that answers worse"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--track", action="store_true", help="run as a Prefect flow, with a temporary server if none is set"
    )
    way.add_argument("--direct", action="store_true", help="run without Prefect, also where a server is set")


def run(options: Namespace, /) -> Answer:
    """Runs tracked where a Prefect API is set or --track asks for it, directly otherwise: the same stages in both."""
    from config.options import SyncOptions
    from config.prefect_api import configured_api
    from tasks.console.hint import hint_at_tracking
    from tasks.console.text import report_text

    wanted = SyncOptions(
        confirm_deletes=options.confirm_deletes,
        max_usd=options.max_usd,
        wait=options.wait,
        paranoid=options.paranoid,
        retry_quarantined=options.retry_quarantined,
        take_over=options.take_over,
        rebuild=options.rebuild,
        force=options.force,
    )
    api = None if options.direct else configured_api()
    if options.track or api:
        report = _sync_tracked(options.config, wanted, api)
    else:
        if not (options.json or options.direct):
            hint_at_tracking()
        report = _sync_directly(options, wanted)
    return Answer(report.as_json(), report_text(report), report.exit_code)


def _sync_directly(options: Namespace, wanted: "SyncOptions") -> "Report":
    from config.read import read_pipeline
    from tasks.sync.rebuild import sync_or_rebuild

    return sync_or_rebuild(read_pipeline(Path(options.config)), wanted, shown_sync(quiet=options.json))


def shown_sync(*, quiet: bool) -> "Sync":
    """One run without Prefect, with its progress on stderr unless `quiet`."""
    from tasks.console.progress import TerminalProgress
    from tasks.runners.threads import ThreadRunner
    from tasks.sync.run import run_sync

    def sync(session: "Session", options: "SyncOptions") -> "Report":
        with TerminalProgress(session.pipeline.name, quiet=quiet) as progress:
            return run_sync(session, options, ThreadRunner(), progress)

    return sync


def _sync_tracked(config: str, wanted: "SyncOptions", api: "PrefectApi | None") -> "Report":
    """`api` None: on a server of its own, for this run alone."""
    from tasks.runners.prefect_server import DIRECTLY, TEMPORARY, await_server, hurried, meaning

    if api:
        await_server(api, say)
    else:
        for name, value in TEMPORARY.items():
            os.environ.setdefault(name, value)
    from prefect import tags

    from flows.sync import sync as flow
    from tasks.console.states import SKIPPED, TAG, own_heartbeats
    from tasks.errors import LockedError
    from tasks.sync.report import IncompleteRunError, report_from

    try:
        # The tag, as a deployment's runs have it; a server of its own takes a while to start.
        with tags(TAG), own_heartbeats(), hurried(say) if api else nullcontext():
            state = cast("State[Any]", flow(str(Path(config).absolute()), wanted, return_state=True))
        if state.name == SKIPPED:
            raise LockedError(state.message or SKIPPED)
        return report_from(state.result())  # what a failed state holds is raised
    except IncompleteRunError as error:
        return error.report
    except Exception as error:
        if (ours := meaning(error, DIRECTLY if api else _OWN)) is None:
            raise
        raise ours from error


_OWN = (
    "--track starts a server for the run alone, which a busy machine may not do in time: start one that stays (`prefect"
    " server start`) and set PREFECT_API_URL=http://127.0.0.1:4200/api, or leave --track out"
)


def say(line: str) -> None:
    """One line for whoever waits, at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
