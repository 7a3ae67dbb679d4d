"""Pays in batches for the texts of a whole run, before its windows are worked off: what they need is then in the cache.

A window is small, and a batch may take a day, so the windows could not wait one after the other.
"""

import time
from collections.abc import Iterator, Mapping, Set

from tasks.dedupe.window import Differ
from tasks.embed.base import BatchEmbedder, Batches
from tasks.errors import BudgetError, ServiceError
from tasks.ledger.marks import lineage
from tasks.records import EmbeddingKey
from tasks.runners.chain import Chain
from tasks.runners.pace import Pace
from tasks.runners.same_model import SameModel
from tasks.session import Session
from tasks.sync.listing import Survey
from tasks.windows import Deduped, Refs, Spent

IDLE_ROUNDS = 6  # in which all that was sent came back without a vector

Texts = dict[EmbeddingKey, tuple[str, int]]  # with their tokens


def pay_ahead(session: Session, survey: Survey, spent: Spent) -> None:
    """Does nothing where each answer is wanted now.

    A killed one is gone on with by the next run, which finds in the account's books what was sent. Texts that expired
    are sent again. What no batch gets a vector for is left to the windows: there a text is refused by its own answer.
    """
    embedder = session.embedder
    batches = embedder.batches(lineage(session.ledger)) if isinstance(embedder, BatchEmbedder) else None
    if batches is None:
        return
    proof = SameModel(session)
    started, idle = time.perf_counter(), 0
    try:
        while idle < IDLE_ROUNDS:
            wanted = _send(session, survey, batches, proof)
            before = spent.texts_paid
            _collect(session, batches, wanted, spent)
            if not batches.left or batches.stopped_by:
                return
            idle = 0 if spent.texts_paid > before else idle + 1
    finally:
        spent.seconds += time.perf_counter() - started
    raise ServiceError(f"{idle} batches came back without a vector: {batches.left}; run again later")


def _send(session: Session, survey: Survey, batches: Batches, proof: SameModel) -> dict[EmbeddingKey, int]:
    """Send what is not on its way; all that is wanted, with its tokens."""
    differ = Differ(session.identity, session.ledger, session.cache)
    chain = Chain(session, differ, Spent())
    wanted: dict[EmbeddingKey, int] = {}
    sent, texts, size = batches.on_their_way(), Texts(), 0
    try:
        for window in _windows(survey, differ):
            session.ledger.check()
            deduped = chain.dedupe(chain.read(window))
            for key, text, tokens in _texts(deduped, {*wanted, *batches.refused}):
                wanted[key] = tokens
                if key in sent:
                    continue
                proof.check(deduped)
                line = batches.line_bytes(text)
                if texts and not batches.fits(len(texts), size + line):
                    batches.send(texts)
                    texts, size = Texts(), 0
                texts[key], size = (text, tokens), size + line
            if batches.stopped_by:
                return wanted
        batches.send(texts)
    except BudgetError:
        pass  # it stops the windows, once they have what was paid for
    return wanted


def _windows(survey: Survey, differ: Differ) -> Iterator[Refs]:
    for shard in survey.shards():
        differ.begin(shard.known)
        yield from Pace().windows(shard.changes.to_read)


def _texts(deduped: Deduped, without: Set[EmbeddingKey]) -> Iterator[tuple[EmbeddingKey, str, int]]:
    for key, (content, tokens) in deduped.unpaid.items():
        if isinstance(content, str) and key not in without:
            yield key, content, tokens


def _collect(session: Session, batches: Batches, wanted: Mapping[EmbeddingKey, int], spent: Spent) -> None:
    for vectors, billed in batches.collect(wanted.keys(), session.ledger):
        keys = [*vectors]
        new = [key for key in session.cache.missing(keys) if key in wanted]
        spent.add(new, [wanted[key] for key in new])
        session.cache.put(keys, vectors.matrix(keys), [wanted.get(key, billed[key]) for key in keys])
