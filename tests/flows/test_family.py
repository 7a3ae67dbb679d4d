"""Models that share a space: documents of one are documents of all, and nothing is paid for a change between them."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.conftest import CONFIG, Pipeline
from tests.flows.test_same_model import moved
from tests.voyage_server import VoyageServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[VoyageServer]:
    with VoyageServer() as made:
        monkeypatch.setenv("VOYAGE_API_KEY", made.key)
        yield made


def embed_with(pipeline: Pipeline, server: VoyageServer, model: str, more: str = "") -> None:
    settings = f"kind: voyage, model: {model}, base_url: '{server.url}', dimensions: 256{more}"
    pipeline.config.write_text(CONFIG.format(embedder="{" + settings + "}"))
    server.forget()


def test_a_change_within_the_family_pays_nothing(pipeline: Pipeline, server: VoyageServer) -> None:
    embed_with(pipeline, server, "voyage-4-large")
    first = pipeline.sync()
    assert (first["code"], first["chunks"]["embedded"]) == (0, 4)
    before = pipeline.texts()
    for model in ("voyage-4-lite", "voyage-4", "voyage-4-large"):
        embed_with(pipeline, server, model)
        report = pipeline.sync()
        assert (report["code"], report["chunks"]["embedded"], report["model"]) == (0, 0, model)
        assert server.requests == []
    assert pipeline.texts() == before


def test_what_is_new_is_embedded_by_the_relative_of_today(pipeline: Pipeline, server: VoyageServer) -> None:
    """Its vectors are near to those that are there, and not the same."""
    embed_with(pipeline, server, "voyage-4-large")
    pipeline.sync()
    embed_with(pipeline, server, "voyage-4-lite")
    server.bend = moved(0.8)
    pipeline.write("new.md", "# New\n")
    report = pipeline.sync()
    assert (report["code"], report["chunks"]["embedded"], report["notes"]) == (0, 1, [])
    assert {asked.model for asked in server.asked} == {"voyage-4-lite"}
    server.bend = lambda rows: np.roll(rows, 1, axis=1)
    pipeline.write("newer.md", "# Newer\n")
    outcome = pipeline.run("sync", str(pipeline.config), "--json")
    assert (outcome.code, "another model answers" in outcome.err) == (5, True)


def test_a_query_goes_to_the_query_model_at_once(pipeline: Pipeline, server: VoyageServer) -> None:
    embed_with(pipeline, server, "voyage-4-large")
    pipeline.sync()
    embed_with(pipeline, server, "voyage-4-large", ", query_model: voyage-4-lite")
    found = pipeline.run("search", str(pipeline.config), "install", "--json")
    assert found.code == 0
    assert [(asked.model, asked.side) for asked in server.asked] == [("voyage-4-lite", "query")]
    assert pipeline.sync()["chunks"]["embedded"] == 0


def test_another_space_is_paid_once_and_the_way_back_not_at_all(pipeline: Pipeline, server: VoyageServer) -> None:
    embed_with(pipeline, server, "voyage-4")
    pipeline.sync()
    embed_with(pipeline, server, "voyage-3.5")
    assert pipeline.run("sync", str(pipeline.config), "--json").code == 5
    assert server.requests == []
    paid = []
    for model in ("voyage-3.5", "voyage-4", "voyage-3.5"):
        embed_with(pipeline, server, model)
        assert pipeline.run("rebuild", str(pipeline.config), "--json").code == 0
        paid.append(len(server.answered))
    assert paid == [4, 0, 0]


def test_a_query_model_of_another_family_is_refused_with_both_spaces(pipeline: Pipeline, server: VoyageServer) -> None:
    embed_with(pipeline, server, "voyage-4", ", query_model: voyage-3.5")
    outcome = pipeline.run("sync", str(pipeline.config), "--json")
    assert outcome.code == 2
    assert "'voyage-3.5'" in outcome.err
    assert "'voyage-4'" in outcome.err
