"""How well an index answers, as a person reads it."""

import time
from collections.abc import Sequence

from tasks.evaluate.compare import Candidate
from tasks.evaluate.evaluation import Comparison, Evaluation
from tasks.evaluate.history import Kept


def evaluation_text(one: Evaluation, comparison: Comparison | None = None) -> str:
    """A row for each measure: its mean and its interval of 95 %, and the same of the difference."""
    differences = comparison.differences if comparison else {}
    rows = [f"{one.pipeline}: {one.queries:,} queries, {_way(one)}, generation {one.generation}, {one.model}"]
    for name, (mean, low, high) in one.metrics.items():
        row = f"  {name:<13}{mean:.3f}  [{low:.3f}, {high:.3f}]"
        if name in differences and comparison:
            gain, worst, best = differences[name]
            before = comparison.other.metrics[name].mean
            row += (
                f"   {before:.3f} before, {gain:+.3f} [{worst:+.3f}, {best:+.3f}]{'' if worst <= 0 <= best else ' *'}"
            )
        rows.append(row)
    if comparison:
        other = comparison.other
        rows.append(f"  against {_way(other)}, generation {other.generation}, {other.model}: {comparison.sentence()}")
    if one.unknown:
        rows.append(f"  ! judged documents that are not in the index, or not by that name alone: {one.unknown:,}")
    if one.unasked:
        rows.append(f"  ! queries without a judged document in the index, which are not asked: {one.unasked:,}")
    return "\n".join([*rows, *(f"  ! {note}" for note in (one.made, one.note) if note)])


def candidates_text(rows: Sequence[Candidate], why: str) -> str:
    """A row for each, and which of them is suggested."""
    one = rows[0].evaluation
    measures = dict.fromkeys([one.measure, "ndcg@10", "recall@100"])
    wide = max(len(row.label) for row in rows)
    head = "".join(f"{name:>24}" for name in measures)
    lines = [
        f"{one.pipeline}: {one.queries:,} queries, {rows[0].chunks:,} chunks; nothing of the live index was changed",
        f"  {'':<{wide}}{head}  tokens/s here  dimension  vectors     price  licence",
    ]
    for row in rows:
        values = (row.evaluation.metrics[name] for name in measures)
        cells = "".join(f"   {mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in values)
        speed = f"{row.tokens_per_second:,.0f}" if row.tokens_per_second else "-"
        price = f"${row.usd:,.4f}" if row.usd else "free"
        size = f"{row.bytes / 1e6:,.1f} MB"
        lines.append(
            f"  {row.label:<{wide}}{cells}{speed:>15}{row.dimension:>11,}{size:>9}{price:>10}  {row.licence or '-'}"
        )
    lines.append(f"  suggested: {why}")
    return "\n".join([*lines, *([f"  ! {one.made}"] if one.made else [])])


def kept_text(kept: Kept) -> str:
    """The last evaluation that was kept, in a line."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.at))
    return f"{'! ' if kept.has_dropped else ''}{kept.sentence()}; measured {when}"


def _way(one: Evaluation) -> str:
    return f"{one.mode}, sorted by {one.rerank}" if one.rerank else one.mode
