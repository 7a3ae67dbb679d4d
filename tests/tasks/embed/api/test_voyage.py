"""What Voyage alone has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.embed.api.voyage import ADDRESS, MONGODB_ADDRESS, VoyageProvider
from tests.contracts.embedder_kinds import PAID, Bench, bench
from tests.contracts.test_paid_embedder import embed
from tests.provider_server import Fault
from tests.voyage_server import VoyageDialect


@pytest.fixture
def paid(tmp_path: Path) -> Iterator[Bench]:
    with bench(PAID["voyage"], tmp_path) as made:
        yield made


def test_a_request_is_what_the_api_wants(paid: Bench) -> None:
    embed(paid.open(), ["hello"])
    paid.open(dimensions=None).embed_query("who")
    common = {"truncation": False, "output_dtype": "float", "encoding_format": "base64", "model": "voyage-4"}
    assert paid.server.bodies == [
        {**common, "input_type": "document", "input": ["hello"], "output_dimension": 256},
        {**common, "input_type": "query", "input": ["who"]},
    ]


@pytest.mark.parametrize(
    "words",
    [
        "Request to model 'voyage-4' failed. The max allowed tokens per submitted batch is 320000. Your batch has"
        " 321138 tokens after truncation. Please lower the number of tokens in the batch.",
        "The batch size limit is 1000. Your batch size is 1001.",
    ],
)
def test_every_word_for_a_request_that_is_too_large_halves_it(paid: Bench, words: str) -> None:
    paid.server.faults.append(Fault(400, message=words))
    embed(paid.open(), ["a", "b"])
    assert sorted(paid.server.requests) == [["a"], ["a", "b"], ["b"]]


def test_another_member_of_the_family_in_the_answer_is_told(paid: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`voyage-4` is a part of its name, and still it is another."""
    answer = VoyageDialect.answer
    names = {"voyage-4": "voyage-4-lite"}
    monkeypatch.setattr(
        VoyageDialect,
        "answer",
        lambda self, body, rows, tokens: answer(self, {**body, "model": names[body["model"]]}, rows, tokens),
    )
    embedder = paid.open(query_model="voyage-4-lite")
    names["voyage-4-lite"] = "voyage-4-lite"
    embedder.embed_query("a")
    assert embedder.other_model == ""
    embed(embedder, ["a"])
    assert embedder.other_model == "voyage-4-lite"


def test_a_key_that_was_made_in_mongodb_goes_to_its_server(paid: Bench) -> None:
    addresses = []
    for key in ("pa-one", "al-two"):
        config = paid.kind.section.model_validate({**paid.settings, "api_key": key})
        addresses.append(VoyageProvider(config).account[0])
    assert addresses == [ADDRESS, MONGODB_ADDRESS]


def test_the_limits_of_a_request_are_the_models_own(paid: Bench) -> None:
    """Twice what `voyage-4-large` takes goes into one request for `voyage-4-lite`."""
    tokens = [20_000] * 8
    sizes = {}
    for model in ("voyage-4-large", "voyage-4-lite"):
        paid.server.forget()
        list(paid.open(model=model).embed([f"text {number}" for number in range(8)], tokens))
        sizes[model] = sorted(map(len, paid.server.requests))
    assert sizes == {"voyage-4-large": [2, 3, 3], "voyage-4-lite": [8]}
