"""Asks an index every query of a collection of judgments, as a search would, and measures the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from config.pipeline import SearchMode
from tasks.embed.queries import embed_queries
from tasks.errors import ConfigError
from tasks.evaluate.judgments import Judgments, Span
from tasks.evaluate.measures import (
    MOST_DOCUMENTS,
    Interval,
    Passage,
    difference,
    document_measures,
    mean,
    passage_measures,
)
from tasks.records import DocumentId, Vector
from tasks.search.permission import ADMIN
from tasks.search.query import Asking, Found, Wanted, answered
from tasks.session import Session, check_space

CHUNKS = 100  # of an answer, where places are judged
_MEANT = ("answer@1000", "ndcg@10")  # the first of them that was measured says which is better

Values = dict[str, dict[str, float]]  # by measure, by query


@dataclass(frozen=True)
class Evaluation:
    """What one way of asking achieves; `values` are by measure and query, `unknown` counts documents it lacks.

    `unasked` counts queries that none of its documents answers, `made` says of what synthetic queries were made.
    """

    pipeline: str
    mode: SearchMode
    generation: int
    model: str
    values: Values
    unknown: int
    note: str = ""
    made: str = ""
    rerank: str = ""
    unasked: int = 0

    @property
    def queries(self) -> int:
        """How many were asked."""
        return len(self.values["ndcg@10"])

    @property
    def measure(self) -> str:
        """The measure that says most: what a language model gets, or the best documents."""
        return next(name for name in _MEANT if self.values.get(name))

    @property
    def main(self) -> Interval:
        """The value of that measure."""
        return self.metrics[self.measure]

    @cached_property
    def metrics(self) -> dict[str, Interval]:
        """Mean and interval by measure."""
        return {name: mean(values) for name, values in self.values.items() if values}

    def as_json(self) -> dict[str, Any]:
        """The shape that `evaluate --json` promises."""
        metrics = self.metrics
        return {
            "pipeline": self.pipeline,
            "queries": self.queries,
            "mode": self.mode,
            "rerank": self.rerank or None,
            "generation": self.generation,
            "model": self.model,
            "metrics": {name: value.mean for name, value in metrics.items()},
            "confidence": {name: [value.low, value.high] for name, value in metrics.items()},
            "unknown_documents": self.unknown,
            "unasked_queries": self.unasked,
            "synthetic": bool(self.made),
            "notes": [*filter(None, [self.made, self.note])],
        }


@dataclass(frozen=True)
class Comparison:
    """Two ways of asking, on the same queries."""

    one: Evaluation
    other: Evaluation

    @cached_property
    def differences(self) -> dict[str, Interval]:
        """The gain of `one`, by measure."""
        other = self.other.values
        return {name: difference(values, other[name]) for name, values in self.one.values.items() if values}

    @property
    def main(self) -> Interval:
        """The difference by the measure that says most."""
        return self.differences[self.one.measure]

    def sentence(self) -> str:
        """The main difference in words."""
        name, (gain, low, high) = self.one.measure, self.main
        sure = f"between {low:+.3f} and {high:+.3f}"
        if low <= 0 <= high:
            return f"no difference that these {self.one.queries} queries prove: {name} {gain:+.3f}, {sure}"
        return f"{'better' if gain > 0 else 'worse'} by {abs(gain):.3f} in {name}, {sure}"

    def as_json(self) -> dict[str, Any]:
        """What `evaluate --json` adds where there is something to compare with."""
        return {
            **self.one.as_json(),
            "against": self.other.as_json(),
            "difference": {name: list(value) for name, value in self.differences.items()},
            "sentence": self.sentence(),
        }


class Evaluator:
    """Asks an index every query, as a search would; each query is embedded once, however many modes are measured."""

    def __init__(self, session: Session, judgments: Judgments) -> None:
        """CollectionError for a collection of another space than the model's."""
        sentinel = session.store.sentinel()
        if sentinel is None:
            raise ConfigError(f"{session.pipeline.name!r} has no collection yet; run `headrace sync` first")
        check_space(session, sentinel)
        self._session = session
        self._judgments = judgments
        self._asking = {
            query.id: Asking(session, query.text, ADMIN, partial(self._vector, row))
            for row, query in enumerate(judgments.queries)
        }

    def _vector(self, row: int) -> Vector:
        return self._vectors[row]

    @cached_property
    def _vectors(self) -> Sequence[Vector]:
        return embed_queries(self._session.embedder, [query.text for query in self._judgments.queries])

    def measure(self, mode: SearchMode | None = None, *, rerank: bool | None = None) -> Evaluation:
        """Documents are ranked by their best chunk; where places are judged, chunks are as they come."""
        rankings: dict[str, Sequence[DocumentId]] = {}
        passages: dict[str, Sequence[Passage]] = {}
        session, judged = self._session, self._judgments
        used, note, reranker = mode or session.pipeline.search.mode, "", ""
        wanted = Wanted(MOST_DOCUMENTS, per_document=1, mode=mode, rerank=rerank, links=False, copies=True)
        for query in judged.queries:
            results = answered(self._asking[query.id], wanted)
            rankings[query.id] = [DocumentId(hit.document) for hit in results.hits]
            used, note, reranker = results.mode, results.note, results.rerank
            if query.spans:
                chunks = answered(self._asking[query.id], replace(wanted, limit=CHUNKS, per_document=CHUNKS)).hits
                passages[query.id] = _passages(session, chunks)
            self._asking[query.id].forget()
        values = document_measures(judged.queries, rankings) | passage_measures(judged.queries, passages)
        return Evaluation(
            pipeline=session.pipeline.name,
            mode=used,
            generation=session.pipeline.generation,
            model=session.embedder.model,
            values=values,
            unknown=len(judged.unknown),
            note="; ".join(filter(None, [note, "" if mode else session.note])),
            made=judged.made,
            rerank=reranker,
            unasked=judged.unasked,
        )


def _passages(session: Session, chunks: Sequence[Found]) -> list[Passage]:
    """As many as can matter: the first hit may be anywhere, tokens are counted until there are too many."""
    tokens = session.embedder.tokenizer.count([chunk.text for chunk in chunks])
    return [
        Passage(Span(DocumentId(chunk.document), chunk.metadata["start"], chunk.metadata["end"]), count)
        for chunk, count in zip(chunks, tokens, strict=True)
    ]
