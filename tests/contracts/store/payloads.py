"""Payloads are plain JSON, and come back as they were."""

import uuid
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from tasks.records import Payload, PointId, Query
from tests.contracts.store.trial import ANYWHERE, Trial, check, holds
from tests.points import Point, columns


@check
def an_odd_payload_comes_back_whole(trial: Trial) -> None:
    store = trial.make()
    payload: Payload = {
        "text": "naïve 日本 🙂 \x00\x1f \u2028\r\n " + "x" * (1 << 20),
        "metadata": {
            "empty": "",
            "none": None,
            "integer": 7,
            "float": 7.0,
            "list": [1, "a", None, [], {}, 2.5, True],
            "deep": {"a": {"b": 1.25, "c.d": [{"e": None}]}},
            "": "blank",
            "$ne": "operator",
            "long" * 50: "key",
        },
        "headrace": {
            "document": "s:ü",
            "big": 2**53,
            "least": -(2**63),
            "most": 2**64 - 1,
            "tiny": 5e-324,
        },
    }
    one = Point(PointId(str(uuid.uuid4())), ANYWHERE / np.float32(np.sqrt(8)), payload)
    store.upsert(columns(one))
    holds(store, one)
    assert typed(dict(store.scan())[one.id]) == typed(payload)
    assert typed(store.search(Query(one.vector, 1))[0].payload) == typed(payload)


# Floats are multiples of 1/4 here: a store that keeps JSON may lose the last of a float's digits.
PLAIN_TEXTS = some.text(some.characters(codec="utf-8"), max_size=20)
PLAIN_VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**64 - 1)
    | some.integers(-(2**40), 2**40).map(lambda quarters: quarters / 4)
    | PLAIN_TEXTS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(PLAIN_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def typed(value: Any) -> Any:
    """1, 1.0 and True are equal in Python, but not here."""
    match value:
        case dict():
            return {key: typed(inner) for key, inner in value.items()}
        case list():
            return [typed(inner) for inner in value]
        case _:
            return type(value), value


@check
def any_plain_metadata_comes_back_as_it_was(trial: Trial) -> None:
    store = trial.make()

    @settings(max_examples=60, deadline=None, database=None)
    @given(metadata=some.dictionaries(PLAIN_TEXTS, PLAIN_VALUES, max_size=4))
    def comes_back(metadata: dict[str, Any]) -> None:
        one = Point(PointId(str(uuid.uuid4())), ANYWHERE, {"text": "", "metadata": metadata})
        store.upsert(columns(one))
        back = dict(store.scan())[one.id]
        store.delete([one.id])
        assert typed(back["metadata"]) == typed(metadata)

    comes_back()
