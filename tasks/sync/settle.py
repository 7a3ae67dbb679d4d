"""Which vector is right, where nothing that is kept can say it: the texts are embedded once more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tasks.dedupe.identity import bookkeeping
from tasks.ledger.ledger import Owned
from tasks.records import EmbeddingKey, PointId, Vector
from tasks.runners.same_model import SameModel
from tasks.session import Session
from tasks.slices import slices
from tasks.sync.audit import Findings, agrees

TEXTS_AT_A_TIME = 1000


@dataclass
class Settled:
    """How many texts were embedded again, and the points whose stored vector turned out to be wrong."""

    texts: int = 0
    wrong: list[Owned] = field(default_factory=list[Owned])


def settle(session: Session, findings: Findings) -> Settled:
    """Write the right vectors to the cache; called with the lease.

    CollectionError, before anything is written, where another model answers.
    """
    doubted = {point: document for document, point in [*findings.disputed, *findings.damaged_cache]}
    settled = Settled()
    if not doubted:
        return settled
    SameModel(session).check_collection(doubted)
    points: dict[EmbeddingKey, list[PointId]] = {}
    texts: dict[EmbeddingKey, str] = {}
    for point, payload in session.store.scan():
        book = bookkeeping(payload) if point in doubted else None
        if book and not payload["headrace"].keys().isdisjoint(("image", "context")):
            settled.wrong.append((doubted[point], point))  # the source alone has all of it, and is read again
        elif book and book.is_intact and book.space == session.space.fingerprint:
            texts[book.embedding] = str(payload["text"])
            points.setdefault(book.embedding, []).append(point)
    for part in slices(list(texts), TEXTS_AT_A_TIME):
        for right in _embedded(session, {key: texts[key] for key in part}):
            settled.texts += len(right)
            stored = session.store.vectors([point for key in right for point in points[key]])
            for key, vector in right.items():
                wrong = [point for point in points[key] if point in stored and not agrees(stored[point], vector)]
                settled.wrong += [(doubted[point], point) for point in wrong]
    return settled


def _embedded(session: Session, texts: Mapping[EmbeddingKey, str]) -> Iterator[Mapping[EmbeddingKey, Vector]]:
    """Batch by batch, each durable in the cache before the next is asked for."""
    keys, values = list(texts), list(texts.values())
    tokens = session.embedder.tokenizer.count(values)
    for batch in session.embedder.embed(values, tokens):
        if batch.rows:
            paid = [keys[row] for row in batch.rows]
            session.cache.replace(paid, batch.vectors, [tokens[row] for row in batch.rows])
            yield dict(zip(paid, batch.vectors, strict=True))
        session.ledger.check()
