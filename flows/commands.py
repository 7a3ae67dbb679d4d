"""What each command does. Heavy parts are imported where they are used: `headrace --help` answers at once."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, cast

from config.options import SyncOptions, VerifyOptions
from config.prefect_api import PrefectApi
from tasks.console.answer import Answer
from tasks.sync.report import Report


def init(options: argparse.Namespace) -> Answer:
    """Write a configuration into the folder."""
    from config.template import write_config

    path = write_config(Path(options.folder), Path(options.folder) / "headrace.yaml")
    return Answer({"path": str(path)}, f"wrote {path}\nnext: headrace plan {path}")


def schema(_options: argparse.Namespace) -> Answer:
    """The JSON Schema of the configuration."""
    from config.read import json_schema

    shape = json_schema()
    return Answer(shape, json.dumps(shape, indent=2))


def plan(options: argparse.Namespace) -> Answer:
    """Say what a sync would do; the exit code is that of the sync, as far as reading tells."""
    from config.read import read_pipeline
    from tasks.console.progress import TerminalProgress
    from tasks.console.text import report_text
    from tasks.session import open_session
    from tasks.sync.plan import plan_sync

    pipeline = read_pipeline(Path(options.config))
    with (
        open_session(pipeline, read_only=True) as session,
        TerminalProgress(pipeline.name, quiet=options.json) as progress,
    ):
        seen = plan_sync(session, SyncOptions(paranoid=options.paranoid), progress)
    shape = seen.as_json()
    return Answer(shape, report_text(shape), seen.report.exit_code)


def sync(options: argparse.Namespace) -> Answer:
    """Run tracked where a Prefect API is set or --track asks for it, directly otherwise: the same stages in both."""
    from config.prefect_api import configured_api
    from tasks.console.hint import hint_at_tracking
    from tasks.console.text import report_text

    run = SyncOptions(
        confirm_deletes=options.confirm_deletes,
        max_usd=options.max_usd,
        wait=options.wait,
        paranoid=options.paranoid,
        retry_quarantined=options.retry_quarantined,
    )
    api = None if options.direct else configured_api()
    if options.track or api:
        report = _sync_tracked(options.config, run, api)
    else:
        if not (options.json or options.direct):
            hint_at_tracking()
        report = _sync_directly(options, run)
    return Answer(report.as_json(), report_text(report.as_json()), report.exit_code)


def verify(options: argparse.Namespace) -> Answer:
    """Compare the collection with the ledger, and mend it if asked to; exit 1 when anything is off."""
    from config.read import read_pipeline
    from tasks.console.progress import TerminalProgress
    from tasks.console.text import verification_text
    from tasks.runners.threads import ThreadRunner
    from tasks.session import open_session
    from tasks.sync.verify import verify as verify_session

    pipeline = read_pipeline(Path(options.config))
    wanted = VerifyOptions(sample=options.sample, repair=options.repair, wait=options.wait)
    with open_session(pipeline) as session, TerminalProgress(pipeline.name, quiet=options.json) as progress:
        done = verify_session(session, wanted, ThreadRunner(), progress)
    return Answer(done.as_json(), verification_text(done.as_json()), 0 if done.ok else done.exit_code or 1)


def search(options: argparse.Namespace) -> Answer:
    """Nearest chunks, best first."""
    from config.read import read_pipeline
    from tasks.console.text import hits_text
    from tasks.search.query import parse_filters, search_collection
    from tasks.session import open_session
    from tasks.system.file_system import readable

    query, filters = readable(options.query), parse_filters(options.filter)
    with open_session(read_pipeline(Path(options.config)), read_only=True) as session:
        hits = search_collection(session, query, options.limit, filters)
    return Answer({"query": query, "hits": hits}, hits_text(hits))


def status(options: argparse.Namespace) -> Answer:
    """State, last runs and quarantine, from the ledger alone: it answers while a sync runs."""
    from config.read import read_pipeline
    from tasks.console.text import status_text
    from tasks.session import open_session
    from tasks.sync.status import describe

    with open_session(read_pipeline(Path(options.config)), read_only=True) as session:
        shape = describe(session)
    return Answer(shape, status_text(shape))


def _sync_directly(options: argparse.Namespace, run: SyncOptions) -> Report:
    from config.read import read_pipeline
    from tasks.console.progress import TerminalProgress
    from tasks.runners.threads import ThreadRunner
    from tasks.session import open_session
    from tasks.sync.run import run_sync

    pipeline = read_pipeline(Path(options.config)).limited_to(run.max_usd)
    with open_session(pipeline) as session, TerminalProgress(pipeline.name, quiet=options.json) as progress:
        return run_sync(session, run, ThreadRunner(), progress)


def _sync_tracked(config: str, run: SyncOptions, api: PrefectApi | None) -> Report:
    """`api` None: on a server of its own, for this run alone."""
    from tasks.runners.prefect_server import await_server, meaning

    if api:
        await_server(api, _say)
    from prefect import tags

    from flows.sync import sync as flow
    from tasks.sync.report import IncompleteRunError, report_from

    try:
        with tags("headrace"):  # as a deployment's runs have it
            report = flow(str(Path(config).absolute()), run)
        return report_from(cast(dict[str, Any], report))  # what a failed state holds is raised, never returned
    except IncompleteRunError as error:
        return error.report
    except Exception as error:
        if (ours := meaning(error)) is None:
            raise
        raise ours from error


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
