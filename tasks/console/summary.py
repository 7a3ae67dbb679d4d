"""What a run came to, in Markdown, for whoever opens it in a browser: first what matters, then the counts."""

import re
import time
from collections.abc import Mapping, Sequence

from tasks.console.terminal import printable
from tasks.ledger.quarantine import QuarantinedDocument
from tasks.sync.report import Outcome, Report

MOST_NAMED = 10
LONGEST = 300  # characters of a message
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~#&]")
_HEADLINES: Mapping[Outcome, str] = {
    Outcome.DONE: "Done: the collection is equal to its sources.",
    Outcome.PARTIAL: "Partly done: mend what is named below, then run again; all else is up to date.",
    Outcome.WITHHELD: "Withheld: confirm what is named below if it is meant, mend the source if it is not.",
    Outcome.BUDGET: "Stopped at the money limit: raise it, or run again later; what was paid for is kept.",
    Outcome.LOCKED: "Not begun: another run has the lease; run again when it has ended.",
    Outcome.FAILED: "Failed: mend what is named below, then run again; the next run goes on from here.",
    Outcome.INTERRUPTED: "Interrupted: run again, the next run goes on from here.",
}


def summary(report: Report, quarantine: Sequence[QuarantinedDocument] = ()) -> str:
    """The newest ten documents of the quarantine are named."""
    shape = report.as_json()
    lines = [f"## {_plain(report.pipeline)}", f"**{_HEADLINES[report.outcome]}**", *map(_note, report.notes)]
    rows = {
        "generation": f"{report.generation} is live from now on" if report.switched else "",
        "documents": _counts(shape["documents"]),
        "chunks": _counts(shape["chunks"]),
        "tokens": _counts(shape["tokens"]),
        "cost": f"${report.cost_usd:.4f}" if report.cost_usd else "nothing",
        "time": _times(shape["seconds"]),
        "model ran on": _plain(report.runtime),
    }
    lines.append("\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows.items() if text)]))
    if quarantine:
        lines += ["### Quarantined", _quarantine_table(quarantine)]
        if len(quarantine) > MOST_NAMED:
            lines.append(f"and {len(quarantine) - MOST_NAMED:,} more: `headrace status` names them all")
    if partial := report.names.partial[:MOST_NAMED]:
        rows_of = "\n".join(f"| {_plain(one.document)} | {_plain(one.text)} |" for one in partial)
        lines += ["### Read in part", f"| document | what is not in it, or was guessed |\n|---|---|\n{rows_of}"]
        if report.documents.partial > len(partial):
            lines.append(f"and {report.documents.partial - len(partial):,} more: `headrace status` names them all")
    return "\n\n".join(lines) + "\n"


def _quarantine_table(quarantine: Sequence[QuarantinedDocument]) -> str:
    newest = sorted(quarantine, key=lambda one: (-one.since, one.document))[:MOST_NAMED]
    rows = [
        f"| {_plain(one.document)} | {_plain(one.reason)} | {_plain(one.message)} | {_next_try(one)} |"
        for one in newest
    ]
    return "\n".join(["| document | reason | what is wrong | tried again |", "|---|---|---|---|", *rows])


def _next_try(one: QuarantinedDocument) -> str:
    if one.next_try is None:
        return "when it changes"
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(one.next_try))


def _counts(group: Mapping[str, int]) -> str:
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in group.items() if value) or "none"


def _times(seconds: Mapping[str, float]) -> str:
    stages = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if name != "total")
    return f"{seconds['total']:.1f} s ({stages})"


def _note(note: str) -> str:
    return f"- {_plain(note)}"


def _plain(text: str) -> str:
    """The text in one line, without what Markdown would obey: names and messages quote strangers."""
    line = printable(" ".join(text.split()))
    return _SPECIAL.sub(r"\\\g<0>", line if len(line) <= LONGEST else line[:LONGEST] + " …")
