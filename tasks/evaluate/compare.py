"""Ways to embed and to ask, side by side: how well each answers, how fast it is here, and what it costs."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from config.pipeline import Pipeline, SearchMode
from tasks.embed.catalogue import catalogue
from tasks.embed.open import open_embedder
from tasks.errors import BudgetError, ConfigError
from tasks.evaluate.beside import Making, Variant, open_beside
from tasks.evaluate.evaluation import Comparison, Evaluation, Evaluator
from tasks.evaluate.judgments import Judgments
from tasks.session import Session

TIMED_TEXTS = 64
BYTES = {"float32": 4, "float16": 2, "int8": 1, "binary": 0.125}  # of a number, in memory
_SIZED = re.compile(r"(.+)@([1-9][0-9]{0,5})")

Judge = Callable[[Session], Judgments]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One column. `bytes` are those of the vectors in memory; a speed is None where only money would tell it."""

    label: str
    dimension: int
    chunk_tokens: int
    chunks: int
    evaluation: Evaluation
    tokens_per_second: float | None
    usd: float
    bytes: int
    licence: str

    def as_json(self) -> dict[str, Any]:
        """One of the list that `compare --json` promises."""
        measured = self.evaluation.as_json()
        kept = {name: measured[name] for name in ("model", "mode", "queries", "metrics", "confidence", "synthetic")}
        return {
            "label": self.label,
            **kept,
            "dimension": self.dimension,
            "chunk_tokens": self.chunk_tokens,
            "chunks": self.chunks,
            "tokens_per_second": self.tokens_per_second,
            "usd": self.usd,
            "bytes": self.bytes,
            "licence": self.licence,
        }


@dataclass(frozen=True, slots=True)
class Columns:
    """What is combined, each with each; `models` may end in `@` and a number of dimensions."""

    models: Sequence[str]
    chunk_tokens: Sequence[int] = ()
    modes: Sequence[SearchMode] = ()
    precisions: Sequence[str] = ()

    def variants(self) -> Iterator[tuple[str, Variant]]:
        """Each index that is to be made, with what tells it from the others; ConfigError for one named twice."""
        chunk_tokens, precisions = self.chunk_tokens or (None,), self.precisions or (None,)
        combined = list(product(self.models, chunk_tokens, precisions))
        if twice := next((one for one in combined if combined.count(one) > 1), None):
            raise ConfigError(f"{twice[0]!r} is named twice; expected each model once")
        for name, tokens, precision in combined:
            sized = _SIZED.fullmatch(name)
            model, dimensions = (sized[1], int(sized[2])) if sized else (name, None)
            parts = [name, *([f"{tokens} tokens"] if tokens else []), *([precision] if precision else [])]
            yield ", ".join(parts), Variant(model, dimensions, tokens, precision)


def candidates(pipeline: Pipeline, columns: Columns, judge: Judge, making: Making) -> Iterator[Candidate]:
    """Each as soon as it is measured; the money is for all together. BudgetError where it does not suffice."""
    variants = list(columns.variants())
    for _, variant in variants:
        with closing(open_embedder(variant.of(pipeline).embedder, pipeline.state)) as embedder:
            _ = embedder.space  # what cannot be used is refused before anything is made
            embedder.check()
    for label, variant in variants:
        try:
            with open_beside(pipeline, variant, making) as session:
                yield from _measured(session, label, variant, columns.modes, judge(session))
                if making.max_usd is not None:
                    making = replace(making, max_usd=max(making.max_usd - session.embedder.spent_usd, 0.0))
        except BudgetError as error:
            raise BudgetError(f"{label}: {error}; --max-usd holds for all columns together") from error


def suggestion(rows: Sequence[Candidate]) -> tuple[Candidate, str]:
    """The cheapest of those that are not proven to be worse than the best, and why."""
    best = max(rows, key=lambda row: row.evaluation.main.mean)
    level = [row for row in rows if row is best or Comparison(best.evaluation, row.evaluation).main.low <= 0]
    chosen = min(level, key=lambda row: (row.usd, row.bytes, -(row.tokens_per_second or 0.0)))
    name = best.evaluation.measure
    if chosen is best:
        reason = "it answers best"
        if len(level) > 1:
            reason += f", and {len(level) - 1} that may answer as well cost more"
        return chosen, f"{chosen.label}: {reason} ({name} {chosen.evaluation.main.mean:.3f})"
    loss = Comparison(chosen.evaluation, best.evaluation).main
    gains = [
        gain
        for gain, is_so in (
            (f"${best.usd - chosen.usd:,.4f} cheaper", chosen.usd < best.usd),
            (f"{best.bytes / chosen.bytes:.1f} times smaller", chosen.bytes < best.bytes),
        )
        if is_so
    ]
    return chosen, (
        f"{chosen.label}: {', '.join(gains) or 'quicker'} than {best.label}, and not proven to answer worse: {name}"
        f" {loss.mean:+.3f}, between {loss.low:+.3f} and {loss.high:+.3f}"
    )


def _measured(
    session: Session, label: str, variant: Variant, modes: Sequence[SearchMode], judgments: Judgments
) -> Iterator[Candidate]:
    evaluator, embedder = Evaluator(session, judgments), session.embedder
    tokens = sum(document.tokens for document in session.ledger.documents().values())
    chunks, dimension = session.ledger.counts().live, session.space.dimension
    speed, licence = _tokens_per_second(session), _licence(embedder.model)
    for mode in modes or (None,):
        yield Candidate(
            label=f"{label}, {mode}" if mode and len(modes) > 1 else label,
            dimension=dimension,
            chunk_tokens=session.pipeline.chunking.max_tokens,
            chunks=chunks,
            evaluation=evaluator.measure(mode),
            tokens_per_second=speed,
            usd=round(tokens * embedder.usd_per_million_tokens / 1e6, 9),
            bytes=round(chunks * dimension * BYTES[variant.precision or "float32"]),
            licence=licence,
        )


def _tokens_per_second(session: Session) -> float | None:
    """By some of the texts, once more, where that costs nothing."""
    embedder = session.embedder
    if embedder.usd_per_million_tokens:
        return None
    texts = [str(payload["text"]) for (_, payload), _ in zip(session.store.scan(), range(TIMED_TEXTS), strict=False)]
    texts = [text for text in texts if text]
    if not texts:
        return None
    counts = embedder.tokenizer.count(texts)
    list(embedder.embed(texts[:1], counts[:1]))  # a model is loaded with the first
    started = time.perf_counter()
    list(embedder.embed(texts, counts))
    return round(sum(counts) / max(time.perf_counter() - started, 1e-9), 1)


def _licence(model: str) -> str:
    return next((row.licence for row in catalogue() if row.model in (model, f"sentence-transformers/{model}")), "")
