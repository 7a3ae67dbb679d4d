"""What Cohere alone has."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks.embed.api.cohere import CohereProvider
from tasks.errors import ServiceError
from tests.cohere_server import CohereDialect
from tests.contracts.embedder_kinds import PAID, Bench, bench
from tests.contracts.test_paid_embedder import embed, embed_all
from tests.provider_server import Fault, vector_of


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["cohere"], tmp_path) as made:
        yield made


def test_a_request_is_what_the_api_wants(paid: Bench) -> None:
    embed(paid.open(), ["hello"])
    embed(paid.open(dimensions=2048), ["its own length"])
    paid.server.dialect.dimension = 1024
    paid.open(model="embed-english-v3.0", dimensions=None).embed_query("who")
    common = {"embedding_types": ["base64"], "truncate": "NONE"}
    document = {**common, "model": "embed-v5.0-pro", "input_type": "search_document"}
    query = {**common, "model": "embed-english-v3.0", "input_type": "search_query", "texts": ["who"]}
    assert paid.server.bodies == [
        {**document, "texts": ["hello"], "output_dimension": 256},
        {**document, "texts": ["its own length"]},
        query,
    ]


def test_floats_are_read_where_base64_was_asked_for(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = CohereDialect.answer
    monkeypatch.setattr(
        CohereDialect,
        "answer",
        lambda self, body, rows, tokens: answer(self, {**body, "embedding_types": ["float"]}, rows, tokens),
    )
    [vector] = embed(paid.open(), ["a"])
    np.testing.assert_allclose(vector, vector_of("a", 256, "document"), atol=1e-6)


def test_a_months_calls_of_a_trial_key_are_not_waited_for(paid: Bench) -> None:
    words = "You are using a Trial key, which is limited to {} API calls / {}. You can continue to use the Trial key."
    paid.server.faults.append(Fault(429, message=words.format(40, "minute")))
    embed(paid.open(), ["a"])
    paid.server.forget()
    paid.server.faults.append(Fault(429, message=words.format(1000, "month")))
    with pytest.raises(ServiceError, match="may spend again"):
        embed(paid.open(), ["a"])
    assert len(paid.server.requests) == 1


def test_a_text_with_a_denied_word_is_refused_alone(paid: Bench) -> None:
    """498 is called InvalidToken in the SDK, and is no bad key."""
    embedder = paid.open()
    embed(embedder, ["fine"])
    paid.server.faults.append(Fault(498, message="blocked"))
    found, rejected = embed_all(embedder, ["denied"])
    assert (found, list(rejected)) == ({}, [0])
    assert "498: blocked" in rejected[0]


def test_a_request_that_was_cut_off_is_sent_again(paid: Bench) -> None:
    paid.server.faults.append(Fault(499))
    embed(paid.open(), ["a"])
    assert len(paid.server.requests) == 2


@pytest.mark.parametrize("variable", ["CO_API_KEY", "COHERE_API_KEY"])
def test_a_key_comes_from_either_variable(paid: Bench, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("CO_API_KEY", "COHERE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, paid.server.key)
    embed(paid.open(api_key=None), ["a"])
    assert paid.server.asked[0].key == paid.server.key


def test_another_address_in_the_environment_is_not_taken(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CO_API_URL", "http://127.0.0.1:9")
    config = paid.kind.section.model_validate({**paid.settings, "api_key": "sk-test"})
    provider = CohereProvider(config)
    assert provider._client._client_wrapper.get_base_url() == provider.account[0] == "https://api.cohere.com"
    provider.close()
