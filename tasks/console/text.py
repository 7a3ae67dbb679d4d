"""Reports as a person reads them."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

SNIPPET_CHARACTERS = 320
# Names and texts are written by strangers: some characters move the cursor, others turn the direction of reading.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with escapes in place of what a terminal would obey instead of showing it."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def line_of(text: str) -> str:
    """`printable`, in one line: names may hold line feeds too."""
    return " ".join(printable(text).split())


def report_text(report: Mapping[str, Any]) -> str:
    """The outcome of a sync, or what a plan would do, in five lines and its notes."""
    documents, chunks, tokens = report["documents"], report["chunks"], report["tokens"]
    lines = [
        f"{report['pipeline']}: {report.get('outcome', 'plan')}",
        "  documents  " + _counts(documents),
        "  chunks     " + _counts(chunks),
        f"  tokens     {tokens['embedded']:,} embedded, {tokens['reused']:,} reused; ${report['cost_usd']:.4f}",
    ]
    if "seconds" in report:
        stages = {name: value for name, value in report["seconds"].items() if name != "total"}
        spent = ", ".join(f"{name} {value:.2f}" for name, value in stages.items())
        lines.append(f"  seconds    {report['seconds']['total']:.2f} in all ({spent})")
    elif report["eta_seconds"] is not None:
        lines.append(f"  seconds    about {report['eta_seconds']:.0f} of embedding")
    if report.get("runtime"):
        lines.append(f"  model      {report['runtime']}")
    if "eta_seconds" in report and (documents["deleted"] or documents["withheld"]):
        lines.append(f"  plan hash  {report['plan_hash']}")
    return "\n".join([*lines, *(f"  ! {note}" for note in report["notes"])])


_KINDS = {
    "missing": "the ledger says live, the store has not got it",
    "unfinished": "to be written by the next sync that can read their documents",
    "orphaned": "in the store, but not in the ledger",
    "stale": "not the content that was written",
    "duplicate": "a second record for one place in a document",
    "wrong_space": "a vector of another model",
    "wrong_vector": "not the vector that was paid for",
}


def verification_text(shape: Mapping[str, Any]) -> str:
    """What was compared, what was found, and what to do about it."""
    name = shape["pipeline"]
    lines = [f"{name}: {shape['records']:,} records and {shape['sampled']:,} vectors compared with the ledger"]
    lines += [
        f"  {kind.replace('_', ' '):<13}{shape[kind]:,}  ({what})" for kind, what in _KINDS.items() if shape[kind]
    ]
    if shape["foreign"]:
        lines.append(f"  foreign      {shape['foreign']:,}  (not written by this pipeline; never touched)")
    if shape["repaired"]:
        lines.append(f"  repaired     {shape['repaired']:,}")
    if shape["ok"]:
        lines.append("  all is well")
    elif "left" in shape:
        lines.append("  ! something is still wrong; run verify again, or move the collection away and sync it anew")
    else:
        lines.append("  ! run verify with --repair: what is wrong is written again, from the cache where it can be")
    return "\n".join(lines)


def hits_text(hits: Sequence[Mapping[str, Any]]) -> str:
    """Search results, best first, with the start of each text."""
    if not hits:
        return "nothing found: the collection is empty, or no record passes the filter"
    return "\n\n".join(_hit_text(hit) for hit in hits)


def status_text(status: Mapping[str, Any]) -> str:
    """State of a pipeline, its last runs and its quarantine."""
    counts = status["counts"]
    lines = [
        f"{status['pipeline']}: {counts['documents']:,} documents, {counts['live']:,} chunks"
        f" in {status['collection']!r} ({status['store']})",
        f"  model      {status['model']}, {status['dimension']} dimensions, space {status['space']}",
        f"  points     {counts['live']:,} live, {counts['pending']:,} pending, {counts['doomed']:,} doomed,"
        f" {counts['gone']:,} gone",
        f"  running    {status['running'] or 'no'}",
    ]
    if progress := status["progress"]:
        lines.append(f"  progress   {_progress_text(progress)}")
    ended = [run for run in status["runs"] if not (progress and run["run"] == progress["run"])]
    lines += [f"  run        {_run_text(run)}" for run in ended] or ["  run        none yet"]
    lines += [f"  set aside  {one['document']}: {one['message']}{_tries(one)}" for one in status["quarantine"]]
    return "\n".join(lines)


def _tries(one: Mapping[str, Any]) -> str:
    if one["next_try"] is None:
        again = "tried again when it changes"
    else:
        again = time.strftime("next try %Y-%m-%d %H:%M", time.localtime(one["next_try"]))
    return f" ({one['reason']}, {one['attempts']} x, {again})"


def _progress_text(progress: Mapping[str, Any]) -> str:
    since = time.strftime("since %Y-%m-%d %H:%M:%S", time.localtime(progress["started_at"]))
    total = progress["documents_total"]
    if total is None:
        return f"finding out what is to be read, {since}"
    done, chunks = progress["documents_done"], progress["chunks_embedded"]
    return f"{done:,} of {total:,} documents, {chunks:,} chunks embedded, {since}"


def _run_text(run: Mapping[str, Any]) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run["started_at"]))
    report = run["report"]
    if report is None:
        return f"{when}  did not end"
    documents, chunks = report["documents"], report["chunks"]
    return (
        f"{when}  {run['outcome']}: {documents['listed']:,} listed, {documents['added']:,} added,"
        f" {documents['changed']:,} changed, {_deleted(documents)}; {chunks['embedded']:,} chunks embedded,"
        f" {report['seconds']['total']:.1f} s"
    )


def _deleted(documents: Mapping[str, int]) -> str:
    withheld = documents["withheld"]
    return f"{withheld:,} not deleted yet" if withheld else f"{documents['deleted']:,} deleted"


def _hit_text(hit: Mapping[str, Any]) -> str:
    heading = hit["metadata"].get("heading") or hit["metadata"].get("title") or ""
    text = " ".join(str(hit["text"]).split())
    short = text if len(text) <= SNIPPET_CHARACTERS else text[:SNIPPET_CHARACTERS].rsplit(" ", 1)[0] + " …"
    return f"{hit['score']:.3f}  {hit['document']}" + (f"  ({heading})" if heading else "") + f"\n       {short}"


def _counts(group: Mapping[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in group.items() if value) or "none"
