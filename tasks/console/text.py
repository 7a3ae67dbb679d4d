"""What was done, or would be, as a person reads it."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tasks.console.quality import kept_text
from tasks.console.terminal import line_of
from tasks.durations import format_duration
from tasks.ledger.quarantine import QuarantinedDocument
from tasks.ledger.runs import RunProgress
from tasks.sync.generations import GenerationStatus
from tasks.sync.names import Move
from tasks.sync.plan import PlanReport
from tasks.sync.report import Chunks, Documents, Outcome, Report, Seconds
from tasks.sync.status import RunSummary, Status
from tasks.sync.verify import Verification
from tasks.windows import Quarantined, Remark

NAMES_SHOWN = 10
SUFFIXES_SHOWN = 5
_LABEL = 13
_MEANINGS = {
    Outcome.PARTIAL: "not every document could be listed or read",
    Outcome.WITHHELD: "something waits for your word",
    Outcome.BUDGET: "the money limit was reached",
    Outcome.LOCKED: "another run took over",
    Outcome.FAILED: "it stopped before its end",
    Outcome.INTERRUPTED: "it was stopped before its end",
}
_STOPPED = (Outcome.BUDGET, Outcome.LOCKED, Outcome.FAILED)  # the last note says by what
_DONE = ("added", "changed", "moved", "deleted", "withheld")
_TO_DO = ("add", "change", "move", "delete", "withhold")
_STAGES = {"list": "listing", "load": "reading", "chunk": "cutting", "embed": "embedding", "upsert": "writing"}


def report_text(report: Report) -> str:
    """What a sync did, and what it could not do."""
    documents, chunks, tokens, names = report.documents, report.chunks, report.tokens, report.names
    done = _counted(_changes(documents, _DONE) | _stay(documents))
    work = {"embedded": chunks.embedded, "reused": chunks.reused, "written": chunks.written, "removed": chunks.removed}
    spent = {"embedded": tokens.embedded, "reused": tokens.reused}
    rows = {
        "generation": f"{report.generation} is live from now on" if report.switched else "",
        "documents": f"{done or 'none'} ({documents.listed:,} listed)",
        "chunks": f"{_counted(work | _unwritten(chunks)) or 'no change'}; {chunks.total:,} in the collection",
        "tokens": ", ".join(filter(None, [_counted(spent), _usd(report.cost_usd)])),
        "time": _times(report.seconds),
        "model": _model(report),
        "passed over": _passed_over(report.passed_over),
    }
    lists = [
        *_named("withheld", names.withheld, documents.withheld),
        *_named("read in part", map(_remark, names.partial), documents.partial),
        *_named("quarantined", map(_reason, names.quarantined), documents.quarantined),
    ]
    return _page(f"{report.pipeline}: {_ending(report.outcome)}", rows, lists, report.notes)


def plan_text(plan: PlanReport) -> str:
    """What a sync would do, and which documents that is about."""
    report, documents, chunks, names = plan.report, plan.report.documents, plan.report.chunks, plan.report.names
    changes, stay = _would(_changes(documents, _TO_DO)), _counted(_stay(documents))
    work = {"embed": chunks.embedded, "reuse": chunks.reused, "write": chunks.written, "remove": chunks.removed}
    rows = {
        "documents": f"{'; '.join(filter(None, [changes, stay]))} ({documents.listed:,} listed)",
        "chunks": f"{_would(work)}; {chunks.total:,} in the collection{' then' if any(work.values()) else ''}",
        "tokens": _tokens_to_embed(report),
        "time": f"about {format_duration(plan.eta_seconds)} of embedding" if plan.eta_seconds else "",
        "model": report.model,
        "plan hash": report.plan_hash if documents.deleted or documents.withheld else "",
        "passed over": _passed_over(report.passed_over),
    }
    lists = [
        *_named("moved to another name", map(_move, names.moved), documents.moved),
        *_named("would delete", _without_moved(names.deleted, names.moved), _gone(documents)),
        *_named("would withhold", names.withheld, documents.withheld),
        *_named("read in part", map(_remark, names.partial), documents.partial),
        *_named("quarantined", map(_reason, names.quarantined), documents.quarantined),
    ]
    title = "what a sync would do" if report.outcome is Outcome.DONE else f"a sync would be {_ending(report.outcome)}"
    return _page(f"{report.pipeline}: {title}", rows, lists, report.notes)


def verification_text(done: Verification) -> str:
    """What was compared, what was wrong, and what to do about it."""
    findings = done.findings
    lines = [
        f"{done.pipeline}: {findings.records:,} records and {findings.sampled:,} vectors compared with the ledger",
        *_rows(
            {
                "missing": _found(findings.missing, "the ledger says live, the store has not got it"),
                "unfinished": _found(
                    findings.unfinished, "to be written by the next sync that can read their documents"
                ),
                "orphaned": _found(findings.orphaned, "in the store, but not in the ledger"),
                "stale": _found(findings.stale, "not the content that was written"),
                "duplicate": _found(findings.duplicate, "a second record for one place in a document"),
                "wrong space": _found(findings.wrong_space, "a vector of another model"),
                "wrong vector": _found(findings.wrong_vector, "not the vector that was paid for"),
                "disputed": _found(findings.disputed, "not the vector in the cache, which has no check sum"),
                "damaged": _found(findings.damaged_cache, "their vector in the cache is damaged"),
                "no words": _found(findings.unworded, "not in the index of words as they are in the store"),
                "foreign": _found(findings.foreign, "not written by this pipeline; never touched"),
                "repaired": f"{done.repaired:,}" if done.repaired else "",
                "embedded": f"{done.settled:,} texts again, to find out what is right" if done.settled else "",
                "cost": _usd(done.cost_usd),
            }
        ),
    ]
    if done.ok:
        lines.append("  all is well")
    elif done.left is not None:
        lines.append("  ! something is still wrong; run verify again, or move the collection away and sync it anew")
    else:
        lines.append(
            "  ! run verify with --repair: what is wrong is written again, from the cache where that can be believed"
        )
    return "\n".join(lines)


def status_text(status: Status) -> str:
    """State of a pipeline, its last runs and its quarantine."""
    counts = status.counts
    others = {"begun to be written": counts.pending, "to be deleted": counts.doomed, "deleted lately": counts.gone}
    progress = status.progress
    ended = [run for run in status.runs if not (progress and run.run == progress.run)]
    runs = [_run_text(run) for run in ended] or ["none yet"]
    lines = [
        f"{status.pipeline}: {counts.documents:,} documents, {counts.live:,} chunks in the collection"
        f" {line_of(status.collection)!r} ({status.store})",
        *_rows({"chunks": _counted(others), "model": f"{status.model}, {status.dimension:,} dimensions"}),
        *_rows({"space": status.space, "complete": status.freshness.text, "running": status.running or "no"}),
        *_rows({"progress": _progress_text(progress) if progress else ""}),
        *_rows({"quality": kept_text(status.quality) if status.quality else ""}),
        *_column("last runs", runs),
        *_named("read in part", map(_remark, status.partial), len(status.partial)),
        *_column("quarantined", [_quarantined_text(document) for document in status.quarantine]),
        *(f"  ! {note}" for note in status.notes),
    ]
    return "\n".join(lines)


def generations_text(pipeline: str, rows: Sequence[GenerationStatus]) -> str:
    """One line for each generation."""
    lines = [f"  {one.generation:<5}{one.state:<10}{_generation_text(one)}" for one in rows]
    return "\n".join([f"{pipeline}: {len(rows)} generation{'' if len(rows) == 1 else 's'}", *lines])


def _generation_text(one: GenerationStatus) -> str:
    built = time.strftime(", built %Y-%m-%d %H:%M", time.localtime(one.built_at)) if one.built_at else ""
    size = f", {one.bytes / 1e6:,.1f} MB" if one.bytes is not None else ""
    quality = f"; {line_of(one.quality)}" if one.quality else ""
    return f"{line_of(one.model)}; {one.documents:,} documents, {one.chunks:,} chunks{size}{built}{quality}"


def where_text(pipeline: str, shape: Mapping[str, object]) -> str:
    """What another reader has to be told, a row each."""
    rows = {name.replace("_", " "): line_of(str(value)) for name, value in shape.items() if value is not None}
    match shape.get("readers"):
        case {"field": field, "any_of": list(principals)}:
            rows["readers"] = f"whoever searches must filter by {field}, for one of {', '.join(map(str, principals))}"
        case _:
            pass
    return _page(f"{pipeline}: where other readers find it", rows, [], [])


def _page(title: str, rows: Mapping[str, str], lists: Sequence[str], notes: Iterable[str]) -> str:
    return "\n".join([title, *_rows(rows), *lists, *(f"  ! {note}" for note in notes)])


def _rows(rows: Mapping[str, str]) -> list[str]:
    return [f"  {label:<{_LABEL}}{text}" for label, text in rows.items() if text]


def _column(label: str, texts: Sequence[str]) -> list[str]:
    return [f"  {'' if number else label:<{_LABEL}}{text}" for number, text in enumerate(texts)]


def _named(title: str, names: Iterable[str], count: int) -> list[str]:
    """The first names below a title, and how many more there are."""
    lines = [f"    {line_of(name)}" for name, _ in zip(names, range(NAMES_SHOWN), strict=False)]
    more = [f"    and {count - len(lines):,} more"] if count > len(lines) else []
    return [f"  {title}:", *lines, *more] if count else []


def _ending(outcome: Outcome) -> str:
    meaning = _MEANINGS.get(outcome)
    return f"{outcome} (exit code {outcome.exit_code}): {meaning}" if meaning else str(outcome)


def _changes(documents: Documents, words: Sequence[str]) -> dict[str, int]:
    """What changes in the collection, under these words; what has moved is neither new nor gone."""
    moved = 0 if documents.withheld else documents.moved
    added = max(documents.added - moved, 0)  # what moved may also be listed under a name that was there already
    counts = (added, documents.changed, moved, _gone(documents), documents.withheld)
    return dict(zip(words, counts, strict=True))


def _gone(documents: Documents) -> int:
    return max(documents.deleted - documents.moved, 0)


def _stay(documents: Documents) -> dict[str, int]:
    return {"unchanged": documents.unchanged, "empty": documents.empty, "quarantined": documents.quarantined}


def _unwritten(chunks: Chunks) -> dict[str, int]:
    return {"embedded but not written": chunks.unwritten}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)


def _would(counts: Mapping[str, int]) -> str:
    """`would embed 3, write 4 and remove 1`; nothing where there is nothing."""
    parts = [f"{word} {number:,}" for word, number in counts.items() if number]
    return (
        f"would {' and '.join(filter(None, [', '.join(parts[:-1]), *parts[-1:]]))}" if parts else "would change nothing"
    )


def _tokens_to_embed(report: Report) -> str:
    cost = f" for {_usd(report.cost_usd, 'about ')}" if report.cost_usd else ""
    embedded = f"would embed {report.tokens.embedded:,}{cost}" if report.tokens.embedded else ""
    return ", ".join(filter(None, [embedded, _counted({"reused": report.tokens.reused})]))


def _usd(amount: float, about: str = "") -> str:
    if not amount:
        return ""
    return f"{about}${amount:,.4f}" if amount >= 0.0001 else "less than $0.0001"


def _times(seconds: Seconds) -> str:
    """Stages overlap, so the work may be more than the time."""
    work = {word: getattr(seconds, stage) for stage, word in _STAGES.items()}
    spent = ", ".join(f"{word} {value:,.2f}" for word, value in work.items() if value >= 0.005)
    return f"{seconds.total:,.2f} s" + (f" ({spent})" if spent else "")


def _model(report: Report) -> str:
    return f"{report.model} ({report.runtime})" if report.runtime else report.model


def _passed_over(suffixes: Counter[str]) -> str:
    if not suffixes:
        return ""
    largest = suffixes.most_common(SUFFIXES_SHOWN)
    rest = suffixes.total() - sum(number for _, number in largest)
    kinds = [f"{number:,} {suffix or 'without a suffix'}" for suffix, number in largest]
    files = ", ".join([*kinds, f"{rest:,} others"] if rest else kinds)
    return f"{files}: no pattern of `include` names them (it may name any file of text)"


def _without_moved(documents: Sequence[str], moves: Sequence[Move]) -> list[str]:
    moved = {move.old for move in moves}
    return [document for document in documents if document not in moved]


def _reason(one: Quarantined) -> str:
    return f"{one.id} ({one.reason}): {one.message}"


def _remark(one: Remark) -> str:
    return f"{one.document}: {one.text}"


def _move(move: Move) -> str:
    return f"{move.old} -> {move.new}"


def _found(items: Sequence[object], meaning: str) -> str:
    return f"{len(items):,}  ({meaning})" if items else ""


def _quarantined_text(one: QuarantinedDocument) -> str:
    tried = "once" if one.attempts == 1 else f"{one.attempts:,} times"
    again = time.strftime("on %Y-%m-%d %H:%M", time.localtime(one.next_try)) if one.next_try else "when it changes"
    return f"{line_of(one.document)} ({one.reason}): {line_of(one.message)} (tried {tried}, again {again})"


def _progress_text(progress: RunProgress) -> str:
    since = time.strftime("since %Y-%m-%d %H:%M:%S", time.localtime(progress.started_at))
    if progress.documents_total is None:
        return f"finding out what is to be read, {since}"
    done, chunks = progress.documents_done or 0, progress.chunks_embedded or 0
    return f"{done:,} of {progress.documents_total:,} documents, {chunks:,} chunks embedded, {since}"


def _run_text(run: RunSummary) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started_at))
    report = run.report
    if report is None:
        return f"{when}  did not end"
    changes = _changes(report.documents, _DONE)
    chunks = f"{report.chunks.embedded:,} chunks embedded in {report.seconds.total:,.1f} s"
    ended = f"{when}  {run.outcome or '':<11}  {_counted(changes) or 'no change'}; {chunks}"
    return f"{ended}; {line_of(report.notes[-1])}" if run.outcome in _STOPPED and report.notes else ended
