"""Whether a new generation answers well enough to be read: the live one and the new one on the same queries."""

from typing import Any, NamedTuple

from config.pipeline import Pipeline
from tasks.evaluate.evaluation import Comparison, Evaluator
from tasks.evaluate.judgments import read_judgments
from tasks.generations import as_live
from tasks.session import Session, open_session


class Verdict(NamedTuple):
    """`is_worse` where the new one loses more than is allowed, and not by chance; `comparison` is for the record."""

    is_worse: bool
    sentence: str
    comparison: dict[str, Any]


def weigh_quality(pipeline: Pipeline, new: Session) -> Verdict | None:
    """The verdict, or None where the configuration names no queries; ConfigError for those that cannot be used.

    Documents that only one of the two has count as they do in a search: it cannot find what it has not got.
    """
    quality = pipeline.quality
    if quality is None:
        return None
    with open_session(pipeline, choose=as_live, read_only=True) as live:
        known = {*live.ledger.documents(), *new.ledger.documents()}
        judgments = read_judgments(quality.queries, quality.qrels, quality.spans, known)
        before = Evaluator(live, judgments).measure()
        after = Evaluator(new, judgments).measure()
    comparison = Comparison(after, before)
    loss = comparison.main
    return Verdict(
        is_worse=loss.mean < -quality.max_drop and loss.high < 0,
        sentence=f"{comparison.sentence()} than the live generation {before.generation}",
        comparison={**comparison.as_json(), "max_drop": quality.max_drop},
    )
