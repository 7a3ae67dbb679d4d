"""Measures how well the index answers judged queries, as a tracked Prefect flow: for a schedule beside that of `sync`.

python -m flows.evaluate config/examples/quickstart.yaml
"""

import sys
from pathlib import Path
from typing import Any

from config.options import EvaluateOptions
from config.read import read_pipeline
from flows.tracked import tracked_flow
from tasks.console.artifacts import ArtifactProgress
from tasks.console.events import announce
from tasks.console.history import history
from tasks.console.quality import evaluation_text
from tasks.errors import ConfigError
from tasks.evaluate.evaluation import Evaluation, Evaluator
from tasks.evaluate.history import Kept, keep
from tasks.evaluate.judgments import read_judgments
from tasks.session import Session, open_session


@tracked_flow("evaluate")
def evaluate(config: str, options: EvaluateOptions = EvaluateOptions()) -> dict[str, Any]:  # noqa: B008 - frozen
    """Ask the live generation queries whose answers are known.

    Args:
        config: The pipeline's YAML file, as the worker finds it.
        options: Which queries; those of `quality` in the configuration where none are named.

    Returns:
        What `headrace evaluate --keep --json` says. A drop beyond its interval is the event `headrace.quality.dropped`.

    """
    pipeline = read_pipeline(Path(config))
    with open_session(pipeline, read_only=True) as session:
        done, kept = measured(session, options)
        told = f"{kept.measure} {kept.value.mean:.3f}"
        text = f"{evaluation_text(done)}\n{kept.sentence()}"
        ArtifactProgress(session).publish(text, "quality", told, history(session))
    tell(pipeline.name, kept)
    return {**done.as_json(), "kept": kept.as_json()}


def measured(session: Session, options: EvaluateOptions) -> tuple[Evaluation, Kept]:
    """What is kept of it, too; ConfigError where no queries are named."""
    pipeline, named = session.pipeline, session.pipeline.quality
    queries, qrels = options.queries or (named and named.queries), options.qrels or (named and named.qrels)
    spans = options.spans or (named.spans if named else None)
    if not (queries and qrels):
        raise ConfigError(f"{pipeline.name}: no queries to ask; name `queries` and `qrels`, here or under `quality`")
    judgments = read_judgments(queries, qrels, spans, session.ledger.documents())
    done = Evaluator(session, judgments).measure(options.mode)
    return done, keep(pipeline, done)


def tell(pipeline: str, kept: Kept) -> None:
    """Emit an event where the index answers worse than before, and not by chance; an automation may listen to it."""
    if kept.has_dropped:
        announce("quality.dropped", pipeline, kept.as_json(), kept.sentence())


if __name__ == "__main__":
    evaluate(sys.argv[1])
