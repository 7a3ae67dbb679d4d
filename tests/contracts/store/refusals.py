"""What no store takes."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.errors import CollectionError, DocumentError, ServiceError
from tasks.records import Query
from tests.contracts.store.trial import ANYWHERE, Trial, check, holds, point, with_vector
from tests.points import columns

BAD_VECTORS = {
    "nan": [np.nan] + [1.0] * 7,
    "infinite": [np.inf] + [0.0] * 7,
    "both infinite": [np.inf, -np.inf] + [0.0] * 6,
    "zero": [0.0] * 8,
    "nearly zero": [1e-5] * 8,
    "overflowing": [1e30] * 8,
}


@check
def a_bad_vector_is_refused_before_anything_is_written(trial: Trial) -> None:
    store = trial.make()
    good = [point() for _ in range(1200)]
    for name, vector in BAD_VECTORS.items():
        with pytest.raises(DocumentError, match=f"s:{name}") as raised:
            store.upsert(columns(*good, with_vector(vector, name)))
        assert raised.value.reason == "bad-vector"
        assert store.count() == 0


@check
def a_matrix_of_another_shape_is_refused_before_anything_is_written(trial: Trial) -> None:
    store = trial.make()
    points = columns(point("bad"), point("bad"))
    for shape in ((2, 7), (2, 9), (2, 0), (2, 1, 8), (3, 8), (1, 8), (16,)):
        with pytest.raises(DocumentError, match=r"s:bad.*expected \(2, 8\)") as raised:
            store.upsert(replace(points, vectors=np.ones(shape, dtype=np.float32)))
        assert raised.value.reason == "bad-vector"
    holds(store)


@check
def another_dimension_is_refused_even_while_the_collection_is_empty(trial: Trial) -> None:
    store = trial.make()
    store.ensure(8)
    with pytest.raises(CollectionError, match="8 dimensions, the model makes 16"):
        store.ensure(16)
    store.upsert(columns(point()))
    with pytest.raises(CollectionError, match="8 dimensions, the model makes 7"):
        store.ensure(7)
    assert store.count() == 1


@check
def a_collection_that_was_not_ensured_is_empty_and_refuses_points(trial: Trial) -> None:
    store = trial.open()
    store.delete([point().id])
    assert (store.count(), list(store.scan()), store.sentinel()) == (0, [], None)
    assert (store.present([point().id]), store.vectors([point().id])) == (set(), {})
    assert store.search(Query(ANYWHERE, 3)) == []
    with pytest.raises(ServiceError, match="no collection"):
        store.upsert(columns(point()))
