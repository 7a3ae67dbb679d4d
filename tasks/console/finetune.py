"""A trained model, as a person reads of it."""

import os

from tasks.console.quality import evaluation_text
from tasks.finetune.improve import Improvement
from tasks.finetune.material import counted


def improvement_text(made: Improvement, config: str) -> str:
    """The test, what the model was made of, and how to use it."""
    counts, course = counted(made.material), made.course
    folder = os.path.relpath(made.folder, os.path.dirname(os.path.abspath(config)))  # noqa: PTH100, PTH120 - may lead up
    lines = [
        f"{made.pipeline}: {counts['train']:,} pairs trained on, {counts['validation']:,} to choose by,"
        f" {counts['test']:,} in the test; {counts['dropped']:,} dropped that would have leaked",
        f"  {course.steps:,} steps, best after {course.best_step:,}: validation nDCG@10 {course.before:.3f} before,"
        f" {course.best:.3f} then",
        *(evaluation_text(comparison.one, comparison) for comparison in made.comparisons),
    ]
    if course.best <= course.before:
        lines.append("  ! no step answered the questions to choose by better than the model as it was")
    first = made.comparisons[0]
    if first.main.low <= 0:
        lines.append("  ! this test does not prove it better; the model in use is as good as far as it shows")
    return "\n".join(
        [
            *lines,
            f"the model is in {made.folder}",
            f"to use it, set `model: ./{folder}` under `embedder`, then run `headrace rebuild {config}`: it goes live",
            "unless it answers the queries of `quality:` worse",
        ]
    )
