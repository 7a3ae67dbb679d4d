"""A store's own nearest records beside those that comparing with every vector finds: what its index misses."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.embed.queries import embed_queries
from tasks.evaluate.measures import Interval, mean
from tasks.records import PointId, Query, Vectors
from tasks.session import Session
from tasks.slices import slices

DEPTHS = (10, 100)
VECTORS_AT_A_TIME = 1000
ROUNDING = 1e-4  # of a similarity: records as near as the last one count as well, and a store may keep half floats


def against_exact(session: Session, queries: Sequence[str]) -> dict[str, Interval]:
    """The share of the exact nearest that the store's answer has, for 10 and for 100 of them; all vectors are read."""
    ids, matrix = unit_vectors(session)
    place = {point: row for row, point in enumerate(ids)}
    shares: dict[int, dict[str, float]] = {depth: {} for depth in DEPTHS}
    for number, vector in enumerate(embed_queries(session.embedder, queries)):
        similarities = matrix @ (vector / np.linalg.norm(vector))
        answer = [hit.id for hit in session.store.search(Query(vector, max(DEPTHS)))]
        for depth in DEPTHS:
            most = min(depth, len(ids))
            if most:
                last = np.partition(similarities, -most)[-most] - ROUNDING
                near = sum(similarities[place[point]] >= last for point in answer[:most] if point in place)
                shares[depth][str(number)] = float(near) / most
    return {f"recall@{depth}": mean(values) for depth, values in shares.items() if values}


def exact_text(shares: dict[str, Interval]) -> str:
    """A line for each."""
    lines = [f"  {name:<13}{one.mean:.3f}  [{one.low:.3f}, {one.high:.3f}]" for name, one in shares.items()]
    return "\n".join(["  the store's own nearest, of those that comparing with every vector finds:", *lines])


def exact_json(shares: dict[str, Interval]) -> dict[str, Any]:
    """The shape of `exact` in `evaluate --json`."""
    return {name: list(one) for name, one in shares.items()}


def unit_vectors(session: Session) -> tuple[list[PointId], Vectors]:
    """All of the index, at unit length."""
    ids, parts = list[PointId](), list[Vectors]()
    for some in slices([point for point, _ in session.store.scan()], VECTORS_AT_A_TIME):
        held = session.store.vectors(some)
        ids += held
        if held:
            rows = np.stack(list(held.values()))
            parts.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return ids, np.concatenate(parts) if parts else np.empty((0, session.space.dimension), np.float32)
