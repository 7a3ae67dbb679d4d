"""What every embedder promises, whatever it runs on."""

import os
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest

from config import embedders
from tasks.embed.base import Embedder
from tasks.embed.queries import embed_queries
from tasks.errors import FencedError
from tests.contracts.embedder_kinds import FREE, PAID, Kind, Service, bench

TEXTS = [
    "How to install the package.",
    "A recipe for bread with flour and water.",
    "Installing software on Linux.",
    "x",
    "naïve 日本語 🙂 " * 8,
    "A longer text that goes on for a while. " * 12,
]
SMOKE = os.environ.get("SMOKE", "")  # a paid kind whose service itself is asked, which is not quite exact
CLOSE = 0.02 if SMOKE in PAID else 2e-5
MARKED = [pytest.param(name, marks=[pytest.mark.model] if name == "local" else []) for name in (*FREE, *PAID)]
MARKED += [pytest.param("service")] if SMOKE in PAID else []


@pytest.fixture(params=MARKED, scope="module")
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kind]:
    if request.param in FREE:
        yield FREE[request.param].placed(tmp_path_factory.mktemp(request.param))
        return
    if request.param == "service":
        yield Service(PAID[SMOKE], tmp_path_factory.mktemp(SMOKE) / "budget.db")
        return
    with bench(PAID[request.param], tmp_path_factory.mktemp(request.param)) as paid:
        yield paid


@pytest.fixture(scope="module")
def embedder(kind: Kind) -> Iterator[Embedder]:
    """Opened once, for those who only look at vectors."""
    opened = kind.open()
    yield opened
    opened.close()


def vectors(embedder: Embedder, texts: list[str]) -> np.ndarray:
    found = np.full((len(texts), embedder.space.dimension), np.nan, dtype=np.float32)
    for batch in embedder.embed(texts, embedder.tokenizer.count(texts)):
        assert not batch.rejected
        assert batch.vectors.dtype == np.float32
        assert np.isnan(found[list(batch.rows)]).all(), "each row once"
        if batch.rows:  # else it is a sign of life, while the provider's limits are waited for
            found[list(batch.rows)] = batch.vectors
    assert not np.isnan(found).any(), "no row is missing"
    return found


def test_each_text_gets_one_vector_of_unit_length(embedder: Embedder) -> None:
    np.testing.assert_allclose(np.linalg.norm(vectors(embedder, TEXTS), axis=1), 1.0, atol=1e-5)


def test_a_vector_does_not_depend_on_the_company(embedder: Embedder) -> None:
    together = vectors(embedder, TEXTS)
    alone = np.concatenate([vectors(embedder, [text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=CLOSE)
    backwards = vectors(embedder, TEXTS[::-1])[::-1]
    np.testing.assert_allclose(together, backwards, atol=CLOSE)


def test_more_texts_than_go_together_come_each_in_its_place(kind: Kind, embedder: Embedder) -> None:
    texts = [f"text number {number}" for number in range(kind.many)]
    places = [0, kind.many // 2, kind.many - 1]
    alone = np.concatenate([vectors(embedder, [texts[place]]) for place in places])
    np.testing.assert_allclose(vectors(embedder, texts)[places], alone, atol=CLOSE)


def test_no_text_is_no_work(embedder: Embedder) -> None:
    assert list(embedder.embed([], [])) == []


def test_a_query_is_a_unit_vector_near_its_own_text(embedder: Embedder) -> None:
    query = embedder.embed_query(TEXTS[0])
    assert query.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(query), 1.0, atol=1e-5)
    assert int((vectors(embedder, TEXTS) @ query).argmax()) == 0


def test_many_queries_have_the_vectors_that_each_has_alone(embedder: Embedder) -> None:
    queries = [*TEXTS, "word " * 300, *(f"query number {number}" for number in range(40))]
    together = embed_queries(embedder, queries)
    alone = [embedder.embed_query(query) for query in queries]
    np.testing.assert_allclose(together, alone, atol=CLOSE)
    assert list(embed_queries(embedder, [])) == []


def test_tokens_are_counted_whole(embedder: Embedder) -> None:
    short, long = embedder.tokenizer.count(["one word", "one word " * 2000])
    assert long > 1900 > short > 0


def test_nothing_is_missing_where_the_settings_are_right(kind: Kind) -> None:
    kind.open().check()


def test_a_space_is_the_same_each_time_and_under_settings_that_change_no_vector(kind: Kind) -> None:
    space = kind.open().space
    for settings in ({}, *kind.same):
        assert kind.open(**settings).space == space
    assert space.fingerprint == kind.open().space.fingerprint


def test_another_model_or_dimension_is_another_space(kind: Kind) -> None:
    spaces = [kind.open(**settings).space for settings in ({}, *kind.others)]
    assert len({space.fingerprint for space in spaces}) == len(spaces) > 1


def test_the_space_says_how_long_the_vectors_are(kind: Kind) -> None:
    for settings in ({}, *kind.others[:1]):
        opened = kind.open(**settings)
        assert vectors(opened, TEXTS[:1]).shape == (1, opened.space.dimension)
        assert opened.embed_query("x").shape == (opened.space.dimension,)
        opened.close()


def test_what_was_closed_may_be_used_again(kind: Kind) -> None:
    opened = kind.open()
    first = vectors(opened, TEXTS[:2])
    opened.close()
    opened.close()
    np.testing.assert_allclose(vectors(opened, TEXTS[:2]), first, atol=CLOSE)
    opened.close()
    assert opened.embed_query("x").shape == (opened.space.dimension,)
    opened.close()


def test_a_run_that_was_overtaken_begins_nothing_more_and_is_told_so(kind: Kind, embedder: Embedder) -> None:
    texts = [f"text number {number}" for number in range(kind.many)]
    batches = embedder.embed(texts, embedder.tokenizer.count(texts))
    rows = [*next(batches).rows]
    with pytest.raises(FencedError, match="overtaken"):  # noqa: PT012 - what was paid for comes first
        rows += batches.throw(FencedError("overtaken")).rows
        for batch in batches:
            rows += batch.rows
    assert len(rows) == len(set(rows))
    assert list(batches) == []
    vectors(embedder, TEXTS[:1])


def test_an_embedder_says_its_model_as_the_settings_do_and_what_it_costs(kind: Kind) -> None:
    opened = kind.open()
    named = kind.settings.get("model") or kind.settings.get("class", "words")
    assert opened.model == named
    costs = [batch.cost_usd for batch in opened.embed(TEXTS, opened.tokenizer.count(TEXTS))]
    assert (sum(costs) > 0) == (opened.usd_per_million_tokens > 0)
    opened.close()


def test_every_kind_is_held_to_this() -> None:
    assert {kind.section for kind in (*FREE.values(), *PAID.values())} == {*get_args(get_args(embedders.Embedder)[0])}
