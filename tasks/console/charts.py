"""Charts of how well an index answers, for somebody who has not run the command: PNG, or one HTML file."""

import html
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import ConfigError, MissingExtraError
from tasks.evaluate.compare import Candidate
from tasks.evaluate.evaluation import Comparison, Evaluation
from tasks.evaluate.measures import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".html")
_MEANING = {
    "ndcg@10": "nDCG@10: the best documents first",
    "recall@100": "recall@100: found at all",
    "mrr@10": "MRR@10: how early the first one",
    "map": "MAP: all of them early",
    "hit@1": "hit@1: the first one is right",
    "hit@5": "hit@5: one of five is right",
    "mrr:chunk": "MRR of chunks: how early the right passage",
    "answer@1000": "answer@1000: share of the answer in 1,000 tokens",
}
_COLOURS = ("#1f6fb4", "#e08a1e")
_SCALE = "0 is worst, 1 is best;\nlines show where the mean lies with 95 % certainty"


def check_chart(path: str | None) -> None:
    """Raise ConfigError for a file of another kind, or without matplotlib: before anything is measured."""
    if path is None:
        return
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--chart {path}: expected a file that ends in .png or .html")
    if not Path(path).absolute().parent.is_dir():
        raise ConfigError(f"--chart {path}: there is no such folder; expected one that is there")
    try:
        import matplotlib as _  # noqa: F401 - a missing one is told early
    except ModuleNotFoundError as error:
        raise MissingExtraError("--chart", "charts") from error


def evaluation_chart(path: str, one: Evaluation, comparison: Comparison | None) -> None:
    """A bar for each measure, and beside it that of what it is compared with."""
    others = [comparison.other] if comparison else []
    figure, axes = _figure(0.55 * len(one.metrics) * (1 + len(others)) + 1.8)
    ways = [_way(way) for way in (one, *others)]
    for number, way in enumerate((one, *others)):
        values = [(_MEANING.get(name, name), value) for name, value in way.metrics.items()]
        _bars(axes, values, number, 1 + len(others), ways[number])
    if others:
        figure.legend(loc="outside upper center", frameon=False)
    title = f"How well {one.pipeline} answers {one.queries:,} queries"
    notes = [comparison.sentence() if comparison else ways[0], one.made, one.note]
    _save(path, figure, title, [note for note in notes if note])


def comparison_chart(path: str, rows: Sequence[Candidate], suggestion: str) -> None:
    """Quality with its interval, and quality against what it costs."""
    figure, (bars, cloud) = _figure(max(4.0, 0.6 * len(rows) + 2.0), columns=2)
    measure = rows[0].evaluation.measure
    named = [(f"{row.label}  ({number})", row.evaluation.main) for number, row in enumerate(rows, start=1)]
    _bars(bars, named, 0, 1, "")
    bars.set_xlim(0, min(1.1, 1.3 * max(row.evaluation.main.high for row in rows) or 1.0))
    bars.set_xlabel(f"{_MEANING.get(measure, measure)}\n({_SCALE})")
    has_price = any(row.usd for row in rows)
    costs = [row.usd if has_price else row.bytes / 1e6 for row in rows]
    means = [row.evaluation.main.mean for row in rows]
    front = [
        (cost, mean)
        for cost, mean in sorted(zip(costs, means, strict=True), key=lambda one: (one[0], -one[1]))
        if not any((c <= cost and m > mean) or (c < cost and m >= mean) for c, m in zip(costs, means, strict=True))
    ]
    cloud.plot(*zip(*front, strict=True), color="#999999", linewidth=1, zorder=1)
    cloud.scatter(costs, means, color=_COLOURS[0], zorder=2)
    for place in dict.fromkeys(zip(costs, means, strict=True)):
        there = [number for number, one in enumerate(zip(costs, means, strict=True), start=1) if one == place]
        cloud.annotate(", ".join(map(str, there)), place, textcoords="offset points", xytext=(5, 6), fontsize=9)
    cloud.set_xlabel("price of embedding this corpus, US dollars" if has_price else "vectors, MB")
    cloud.set_ylabel(measure)
    cloud.margins(0.25)
    cloud.set_title("on the grey line: nothing cheaper is better", fontsize=9, color="#555555")
    one = rows[0].evaluation
    title = f"{one.pipeline}: {len(rows)} ways, the same {one.queries:,} queries"
    _save(path, figure, title, [f"Suggested: {suggestion}", *filter(None, [one.made])])


def _figure(height: float, columns: int = 1) -> "tuple[Figure, Any]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5 if columns == 1 else 13.0, height), layout="constrained", dpi=120)
    return figure, figure.subplots(1, columns)


def _bars(axes: "Axes", values: Sequence[tuple[str, Interval]], number: int, of: int, label: str) -> None:
    height = 0.8 / of
    for place, (_, (mean, low, high)) in enumerate(values):
        at = place + number * height - 0.4 + height / 2
        axes.barh(at, mean, height * 0.9, color=_COLOURS[number % 2], label=label if place == 0 else None)
        axes.plot([low, high], [at, at], color="black", linewidth=1)
        axes.text(max(mean, high) + 0.01, at, f"{mean:.3f}", va="center", fontsize=8)
    axes.set_yticks(range(len(values)), [name for name, _ in values])
    axes.set_xlim(0, 1.1)
    if number == 0:
        axes.invert_yaxis()
    axes.set_xlabel(_SCALE)
    axes.spines[["top", "right"]].set_visible(False)


def _way(one: Evaluation) -> str:
    return f"{one.mode}, generation {one.generation}, {one.model}"


def _save(path: str, figure: "Figure", title: str, notes: Sequence[str]) -> None:
    try:
        if path.lower().endswith(".png"):
            lines = [line for text in (title, *notes) for line in textwrap.wrap(text, int(13 * figure.get_figwidth()))]
            figure.suptitle("\n".join(lines), fontsize=10)
            figure.savefig(path)
            return
        drawing = io.StringIO()
        figure.savefig(drawing, format="svg", metadata={"Date": None})
        body = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
        head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        style = "<style>body{font:16px sans-serif;margin:2em;max-width:70em}svg{max-width:100%;height:auto}</style>"
        svg = drawing.getvalue().partition("<svg")
        page = f"{head}{style}<h1>{html.escape(title)}</h1>{body}{svg[1]}{svg[2]}</html>\n"
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--chart {path} cannot be written: {error.strerror}; expected a file in a folder") from error
