"""Stores keep what they are asked to keep of a vector, find by it what is near, and never mix two ways of keeping."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import CollectionError
from tasks.records import Query
from tasks.sync.audit import agrees
from tests.contracts.store.kinds import KINDS
from tests.contracts.store.trial import Trial, holds, point
from tests.points import columns

CLOSE = {"float16": 1e-3, "int8": 1e-5, "binary": 1e-5}  # of scores; a store that quantises compares the whole ones
CASES = [
    ("qdrant", "float16"),
    ("qdrant server", "float16"),
    ("qdrant server", "int8"),
    ("qdrant server", "binary"),
    ("pgvector", "float16"),
    ("lancedb", "float16"),
]

TrialOf = Callable[[str], Trial]


@pytest.fixture(params=CASES, ids=lambda case: " ".join(case))
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def trial(case: tuple[str, str], store_address: Callable[[str], str], tmp_path: Path) -> Iterator[Trial]:
    kind = KINDS[case[0]]
    kept = replace(kind, open=partial(kind.open, precision=case[1]))
    with closing(Trial(kept, store_address(case[0]) if kind.server else str(tmp_path))) as made:
        yield made


def test_vectors_come_back_as_they_are_kept(case: tuple[str, str], trial: Trial) -> None:
    store, points = trial.make(), [point(f"{number}") for number in range(100)]
    long = points[0]._replace(vector=points[0].vector * 1e6)
    store.upsert(columns(long, *points[1:]))
    assert dict(store.scan()) == {one.id: one.payload for one in points}
    store.publish(trial.named("live"))
    assert store.place(trial.named("live")).published == trial.named("c")
    if case[1] != "float16":
        holds(store, *points)
        return
    vectors = store.vectors([one.id for one in points])
    rows = np.stack([vectors[one.id] for one in points])
    wanted = np.stack([one.vector for one in points])
    assert rows.dtype == np.float32
    assert 1e-5 < np.abs(rows - wanted).max() < CLOSE["float16"], "16 bits, no fewer and no more"


def test_a_right_vector_agrees_and_another_does_not(trial: Trial) -> None:
    store, points = trial.make(), [point(f"{number}") for number in range(100)]
    store.upsert(columns(*points))
    vectors = store.vectors([one.id for one in points])
    for one, other in zip(points, points[1:] + points[:1], strict=True):
        assert agrees(vectors[one.id], one.vector)
        assert not agrees(vectors[one.id], other.vector)


def test_a_search_finds_the_nearest_with_their_similarity(case: tuple[str, str], trial: Trial) -> None:
    store, points = trial.make(), [point(f"{number}") for number in range(60)]
    store.upsert(columns(*points))
    scores = {one.id: float(one.vector @ points[7].vector) for one in points}
    hits = store.search(Query(3 * points[7].vector, 10))
    assert hits[0].id == points[7].id
    nearest = sorted(scores, key=lambda one: -scores[one])[:10]
    assert sum(hit.id in nearest for hit in hits) >= (7 if case[1] == "binary" else 9)
    np.testing.assert_allclose([hit.score for hit in hits], [scores[hit.id] for hit in hits], atol=CLOSE[case[1]])


def test_another_precision_is_refused_and_what_is_there_can_be_read(case: tuple[str, str], trial: Trial) -> None:
    one, (kind, precision) = point(), case
    store = trial.make()
    store.upsert(columns(one))
    store.close()
    whole = KINDS[kind].open(trial.database, trial.named("c"))
    with pytest.raises(CollectionError, match=f"{precision}.*float32.*headrace rebuild.*precision: {precision}"):
        whole.ensure(8)
    assert agrees(whole.vectors([one.id])[one.id], one.vector)
    assert [hit.id for hit in whole.search(Query(one.vector, 3))] == [one.id]
    whole.close()
    other = KINDS[kind].open(trial.database, trial.named("d"))
    other.ensure(8)
    other.close()
    with pytest.raises(CollectionError, match=f"float32.*{precision}"):
        trial.open("d").ensure(8)
