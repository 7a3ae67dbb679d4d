"""`headrace watch`."""

import json
import time
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flows.arguments import add_config, duration
from tasks.console.answer import Answer

if TYPE_CHECKING:
    from tasks.sync.report import Report
    from tasks.sync.watch import Trouble

SUMMARY = "keep the collection equal to the sources, until it is stopped"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks how often to list what cannot be watched."""
    add_config(parser)
    parser.add_argument(
        "--every",
        type=duration,
        metavar="TIME",
        help="list everything so often: 30s, 5m, 1h (default: 60s, or 10m where all sources are local folders, whose"
        " changes are noticed at once)",
    )


def run(options: Namespace, /) -> Answer:
    """Tells of each round in a line of its own with --json, else of those with news; never tracked."""
    from flows.commands.sync import shown_sync
    from tasks.console.news import News
    from tasks.sync.watch import watch

    news = News()

    def tell(told: "Report | Trouble", *, is_whole: bool) -> None:
        is_news = news.is_in(told, is_whole=is_whole)
        if text := _line(told) if options.json else _text(told) if is_news else "":
            options.stdout.write(f"{text}\n")
            options.stdout.flush()

    with suppress(BrokenPipeError):  # nobody reads any more: the last line finds that out, too
        watch(Path(options.config), options.every, shown_sync(quiet=True), tell)
    return Answer({}, "")


def _line(told: "Report | Trouble") -> str:
    from tasks.sync.report import Report

    if isinstance(told, Report):
        return json.dumps({**told.as_json(), "exit_code": told.exit_code})
    error = told.error
    shape = {"outcome": "failed", "exit_code": error.exit_code, "error": str(error), "retry_seconds": told.seconds}
    return json.dumps(shape)


def _text(told: "Report | Trouble") -> str:
    from tasks.console.text import report_text
    from tasks.sync.report import Report

    if not isinstance(told, Report):
        return f"{time.strftime('%H:%M:%S')} {told.error}; tried again in {told.seconds:g} s"
    return f"{time.strftime('%H:%M:%S')} {report_text(told)}"
