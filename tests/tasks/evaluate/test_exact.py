"""How much of the nearest an approximate search finds."""

import numpy as np
import pytest

from config.read import read_pipeline
from tasks.evaluate.coarse import OVERSAMPLING, coarse
from tasks.evaluate.exact import against_exact
from tasks.records import Query
from tasks.session import open_session
from tests.conftest import Pipeline

QUERIES = ["which page speaks of number 7", "page of the third kind", "water"]


@pytest.fixture
def pages(pipeline: Pipeline) -> Pipeline:
    for number in range(160):
        pipeline.write(f"{number}.txt", f"Page {number} speaks of number {number} and of {'water ' * (number % 5)}.")
    assert pipeline.sync()["code"] == 0
    return pipeline


def test_exact_search_finds_all_of_the_nearest(pages: Pipeline) -> None:
    with open_session(read_pipeline(pages.config), read_only=True) as session:
        shares = against_exact(session, QUERIES)
    assert {name: (one.mean, one.low) for name, one in shares.items()} == {"recall@10": (1, 1), "recall@100": (1, 1)}


def test_what_an_approximate_search_misses_is_counted(pages: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signs of 64 numbers find as many candidates as are asked for."""
    monkeypatch.setitem(OVERSAMPLING, "binary", 1)
    with open_session(read_pipeline(pages.config), read_only=True) as session:
        rough = coarse(session, "binary")
        shares = against_exact(rough, QUERIES)
        found = []
        for query in QUERIES:
            asked = Query(session.embedder.embed_query(query), 100)
            least = session.store.search(asked)[-1].score
            found.append(sum(hit.score >= least - 1e-4 for hit in rough.store.search(asked)) / 100)
    assert 0.5 < np.mean(found) < 1
    assert shares["recall@100"].mean == pytest.approx(np.mean(found), abs=1e-4)
