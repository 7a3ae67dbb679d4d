"""Models as data: what stands in config/models is complete, says where it was read, and comes with the package."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from tasks.embed.models import PaidModel, local_model, paid_models
from tasks.embed.tokens.tokenizers import TiktokenTokenizer

FOLDER = Path(str(files("config") / "models"))
PROVIDERS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "local")
MODELS = [
    pytest.param(model, id=f"{provider}/{name}")
    for provider in PROVIDERS
    for name, model in {"other": paid_models(provider).other, **paid_models(provider).models}.items()
]


def test_every_file_is_read() -> None:
    assert "openai" in PROVIDERS
    assert local_model("all-MiniLM-L6-v2") == local_model("sentence-transformers/all-MiniLM-L6-v2")
    assert local_model("nobody/has-this-model") is None


@pytest.mark.parametrize("model", MODELS)
def test_a_limit_says_on_which_day_and_where_it_was_read(model: PaidModel) -> None:
    limits = (model.limits.inputs_per_request, model.limits.tokens_per_request, model.limits.tokens_per_input)
    assert all(limit.most > 0 and re.match(r"20\d\d-\d\d-\d\d, \S", limit.read) for limit in limits)
    assert bool(model.priced) == bool(model.usd_per_million_tokens)
    assert not model.priced or re.match(r"20\d\d-\d\d-\d\d, \S", model.priced)


@pytest.mark.parametrize("model", MODELS)
def test_a_text_of_the_longest_chunk_is_one_that_the_provider_takes(model: PaidModel) -> None:
    limits = model.limits
    assert model.max_tokens * model.tokens_factor <= limits.tokens_per_input.most <= limits.tokens_per_request.most
    assert TiktokenTokenizer(model.encoding, model.max_tokens).count(["a word"]) == [2]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_known_model_has_a_dimension_and_an_unknown_one_has_not(provider: str) -> None:
    known = paid_models(provider)
    assert all(model.dimension for model in known.models.values())
    assert (known.other.dimension, known.other.usd_per_million_tokens) == (0, 0)
