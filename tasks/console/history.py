"""The last runs of a pipeline as a picture and in words, for a page in Markdown."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.durations import format_duration
from tasks.ledger.ledger import Ledger
from tasks.ledger.runs import stored_tokens
from tasks.sync.report import Outcome, Report
from tasks.sync.status import RunSummary, run_summaries

RUNS_DRAWN = 30
_WIDTH, _HEIGHT, _LEFT = 640, 90, 8
_COLOURS = {Outcome.DONE: "#2f7d5b", Outcome.PARTIAL: "#c98a1b", Outcome.WITHHELD: "#c98a1b", Outcome.BUDGET: "#c98a1b"}
_FAILED = "#b3382c"


@dataclass(frozen=True, slots=True)
class _Chart:
    title: str
    values: Sequence[float]
    most: str  # the largest value, in words


def history(ledger: Ledger) -> str:
    """A picture of chunks, cost and lag over the last runs; empty before there are two."""
    runs = [run for run in reversed(run_summaries(ledger, RUNS_DRAWN)) if run.report]
    if len(runs) < 2:
        return ""
    reports = [run.report for run in runs if run.report]
    chunks, costs, lags = [one.chunks.embedded for one in reports], [one.cost_usd for one in reports], _lags(runs)
    charts = [
        _Chart("chunks embedded", chunks, f"{max(chunks):,}"),
        _Chart("time since the run before", lags, format_duration(max(lags))),
    ]
    if any(costs):
        charts.insert(1, _Chart("cost", costs, f"${max(costs):.4f}"))
    words = "; ".join(f"{chart.title}: at most {chart.most}" for chart in charts)
    picture = base64.b64encode(_svg(charts, [one.outcome for one in reports]).encode()).decode()
    return f"### The last {len(runs)} runs\n\n![{words}](data:image/svg+xml;base64,{picture})\n\n{words}."


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


def _svg(charts: Sequence[_Chart], outcomes: Sequence[Outcome]) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT * len(charts)}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>'
    ]
    step = (_WIDTH - 2 * _LEFT) / len(outcomes)
    for row, chart in enumerate(charts):
        base, largest = _HEIGHT * (row + 1) - 8, max(chart.values) or 1
        parts.append(f'<text x="{_LEFT}" y="{base - 66}" fill="#333333">{chart.title}, at most {chart.most}</text>')
        for column, (value, outcome) in enumerate(zip(chart.values, outcomes, strict=True)):
            high = max(1.0, 58 * value / largest)
            parts.append(
                f'<rect x="{_LEFT + column * step:.1f}" y="{base - high:.1f}" width="{min(step * 0.8, 40):.1f}"'
                f' height="{high:.1f}" fill="{_COLOURS.get(outcome, _FAILED)}"/>'
            )
    return "".join([*parts, "</svg>"])
