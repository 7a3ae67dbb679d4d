"""How well an index answers, as a person reads it."""

from tasks.evaluate.evaluation import Comparison, Evaluation


def evaluation_text(one: Evaluation, comparison: Comparison | None = None) -> str:
    """A row for each measure: its mean and its interval of 95 %, and the same of the difference."""
    differences = comparison.differences if comparison else {}
    rows = [f"{one.pipeline}: {one.queries:,} queries, {one.mode}, generation {one.generation}, {one.model}"]
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
        rows.append(f"  against {other.mode}, generation {other.generation}, {other.model}: {comparison.sentence()}")
    if one.unknown:
        rows.append(f"  ! {one.unknown:,} judged documents are not in the index")
    return "\n".join([*rows, *([f"  ! {one.note}"] if one.note else [])])
