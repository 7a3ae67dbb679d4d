"""The last runs and evaluations of a pipeline as a picture and in words, for a page in Markdown."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.durations import format_duration
from tasks.evaluate.history import Kept
from tasks.evaluate.history import history as evaluations
from tasks.ledger.ledger import Ledger
from tasks.ledger.lookup import stored_tokens
from tasks.session import Session
from tasks.sync.report import Outcome, Report
from tasks.sync.status import RunSummary, run_summaries

RUNS_DRAWN = 30
_WIDTH, _HEIGHT, _LEFT = 640, 90, 8
_COLOURS = {Outcome.DONE: "#2f7d5b", Outcome.PARTIAL: "#c98a1b", Outcome.WITHHELD: "#c98a1b", Outcome.BUDGET: "#c98a1b"}
_FAILED = "#b3382c"


@dataclass(frozen=True, slots=True)
class _Chart:
    title: str  # with the largest value, in words
    values: Sequence[float]
    colours: Sequence[str]


def history(session: Session) -> str:
    """A picture of chunks, cost and lag over the last runs, and of quality; empty before there is any."""
    runs = [run for run in reversed(run_summaries(session.ledger, RUNS_DRAWN)) if run.report]
    charts = _runs(runs) if len(runs) > 1 else []
    if kept := evaluations(session.registry.database, RUNS_DRAWN):
        charts.append(_quality([one for one in reversed(kept) if one.measure == kept[0].measure]))
    if not charts:
        return ""
    words = "; ".join(chart.title for chart in charts)
    head = f"The last {len(runs)} runs" if len(runs) > 1 else "The last evaluations"
    picture = base64.b64encode(_svg(charts).encode()).decode()
    return f"### {head}\n\n![{words}](data:image/svg+xml;base64,{picture})\n\n{words}."


def _runs(runs: Sequence[RunSummary]) -> list[_Chart]:
    reports = [run.report for run in runs if run.report]
    chunks, costs, lags = [one.chunks.embedded for one in reports], [one.cost_usd for one in reports], _lags(runs)
    colours = [_COLOURS.get(one.outcome, _FAILED) for one in reports]
    charts = [
        _Chart(f"chunks embedded, at most {max(chunks):,}", chunks, colours),
        _Chart(f"time since the run before, at most {format_duration(max(lags))}", lags, colours),
    ]
    if any(costs):
        charts.insert(1, _Chart(f"cost, at most ${max(costs):.4f}", costs, colours))
    return charts


def _quality(kept: Sequence[Kept]) -> _Chart:
    """The last evaluations, whose number is not that of the runs; one that answers worse, and not by chance, is red."""
    values = [one.value.mean for one in kept]
    colours = [_FAILED if one.has_dropped else _COLOURS[Outcome.DONE] for one in kept]
    return _Chart(f"{kept[0].measure} of the last evaluations, now {values[-1]:.3f}", values, colours)


def savings(ledger: Ledger, report: Report, usd_per_million_tokens: float) -> str:
    """What this run embedded of all that is stored, and what all of it would cost."""
    stored = stored_tokens(ledger)
    if not stored:
        return ""
    share = f"This run embedded {report.tokens.embedded:,} tokens; the collection has {stored:,}"
    if not usd_per_million_tokens:
        return f"{share}."
    whole = stored * usd_per_million_tokens / 1e6
    return f"{share}, and embedding all of them anew would cost about ${whole:,.4f} instead of ${report.cost_usd:,.4f}."


def _lags(runs: Sequence[RunSummary]) -> list[float]:
    """Seconds from the end of the run before to the start of each: so old was the index."""
    ends = [run.finished_at or run.started_at for run in runs]
    return [0.0, *(max(0.0, run.started_at - end) for run, end in zip(runs[1:], ends, strict=False))]


def _svg(charts: Sequence[_Chart]) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT * len(charts)}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>'
    ]
    for row, chart in enumerate(charts):
        base, largest = _HEIGHT * (row + 1) - 8, max(chart.values) or 1
        step = (_WIDTH - 2 * _LEFT) / len(chart.values)
        parts.append(f'<text x="{_LEFT}" y="{base - 66}" fill="#333333">{chart.title}</text>')
        for column, (value, colour) in enumerate(zip(chart.values, chart.colours, strict=True)):
            high = max(1.0, 58 * value / largest)
            parts.append(
                f'<rect x="{_LEFT + column * step:.1f}" y="{base - high:.1f}" width="{min(step * 0.8, 40):.1f}"'
                f' height="{high:.1f}" fill="{colour}"/>'
            )
    return "".join([*parts, "</svg>"])
