"""Texts of the index that look like answers and are none."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice

from tasks.embed.queries import embed_queries
from tasks.finetune.pairs import Example, best_chunk, normal
from tasks.records import Query, Vector
from tasks.session import Session

DEPTH = 50  # nearest chunks that are looked at
MARGIN = 0.95  # what scores above this share of the answer's own score may be an answer that nobody has marked


def with_negatives(session: Session, examples: Sequence[Example], count: int, barred: Collection[str]) -> list[Example]:
    """Each example with `count` negatives, its own first, then the nearest of the index that are clearly worse.

    Never a chunk of a document that answers the question in any example, of a `barred` one, or with an answer's words.
    What is missing is taken from the answers to other questions.
    """
    documents, texts = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for one in examples:
        documents[normal(one.query)].add(one.document)
        texts[normal(one.query)].add(normal(one.passage))
    queries = [*dict.fromkeys(one.query for one in examples)] if count else []
    vectors = dict(zip(queries, embed_queries(session.embedder, queries), strict=True))
    completed: list[Example] = []
    for at, one in enumerate(examples):
        own, known = list(one.negatives[:count]), texts[normal(one.query)]
        if len(own) < count:
            without = {*barred, *documents[normal(one.query)]}
            own += [text for text in _near(session, one, vectors[one.query], without) if normal(text) not in known]
        half = len(examples) // 2  # examples of one document stand side by side
        others = (examples[(at + half + step) % len(examples)].passage for step in range(len(examples) - half))
        own += islice((text for text in others if normal(text) not in known), max(0, count - len(own)))
        if len(own) >= count:
            completed.append(replace(one, negatives=tuple(own[:count])))
    return completed


def _near(session: Session, example: Example, vector: Vector, without: Collection[str]) -> list[str]:
    limit = MARGIN * _score(session, example, vector)
    hits = session.store.search(Query(vector, DEPTH))
    return [
        str(hit.payload["text"])
        for hit in hits
        if hit.score < limit and hit.payload["headrace"]["document"] not in without
    ]


def _score(session: Session, example: Example, vector: Vector) -> float:
    """How near the answer is to the question: its document's best chunk, or itself where it is in no document."""
    if example.document and (hit := best_chunk(session, vector, example.document)):
        return hit.score
    text, most = example.passage, session.embedder.space.max_tokens
    while (tokens := session.embedder.tokenizer.count([text]))[0] > most:  # those of other corpora have any length
        text = text[: len(text) * most // (tokens[0] + 1)]
    batches = session.embedder.embed([text], tokens)
    return max((float(batch.vectors[0] @ vector) for batch in batches if batch.rows), default=0.0)
