"""What all providers share: whether a request was sent, what a message may quote, and the two sides."""

from pathlib import Path

import pytest

from config.embedders import OpenAIEmbedder as Config
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import Answer, RefusedError
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.api.embedder import PaidEmbedder
from tasks.embed.api.openai import OpenAIProvider
from tasks.embed.api.provider import was_sent
from tasks.embed.models import paid_models
from tasks.errors import HeadraceError
from tests.provider_server import vector_of


class ConnectError(Exception):
    """Named as the HTTP libraries name theirs."""


class Sided:
    """Remembers on which side each text came, and refuses some."""

    family, name, account = "openai", "Sided", ("http://sided", "key")

    def __init__(self) -> None:
        self.models = paid_models("openai")
        self.sent: list[tuple[str, Side]] = []
        self.refused: set[str] = set()
        self.raised: Exception | None = None

    def call(self, texts: list[str], side: Side, /) -> Answer:
        self.sent += [(text, side) for text in texts]
        if self.raised:
            raise self.raised
        if self.refused & set(texts):
            raise RefusedError("refused")
        return Answer([vector_of(text, 8) for text in texts], len(texts))

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def opened(provider: Sided, folder: Path, **settings: object) -> PaidEmbedder:
    config = Config.model_validate({"kind": "openai", "dimensions": 8, **settings})
    return PaidEmbedder(config, provider, f"sqlite:///{folder}/budget.db")


def test_documents_and_queries_are_told_apart_on_one_account(tmp_path: Path) -> None:
    provider = Sided()
    embedder = opened(provider, tmp_path, usd_per_million_tokens=1.0, max_usd=3e-6)
    list(embedder.embed(["a"], [1]))
    embedder.embed_query("b")
    list(embedder.embed(["c"], [1]))
    assert provider.sent == [("a", "document"), ("b", "query"), ("c", "document")]
    with pytest.raises(HeadraceError, match=r"max_usd is 3e-06: \$0.000003 are spent"):
        embedder.embed_query("d")
    embedder.close()


def test_a_search_for_a_refused_text_stays_on_its_side(tmp_path: Path) -> None:
    provider = Sided()
    provider.refused = {"text 1", "bad query"}
    embedder = opened(provider, tmp_path)
    list(embedder.embed([f"text {number}" for number in range(4)], [1] * 4))
    assert {side for _, side in provider.sent} == {"document"}
    provider.sent.clear()
    with pytest.raises(HeadraceError, match="the query cannot be embedded: refused"):
        embedder.embed_query("bad query")
    assert {side for _, side in provider.sent} == {"query"}
    embedder.close()


def test_an_error_that_is_not_the_sdks_is_no_providers_fault(tmp_path: Path) -> None:
    provider = Sided()
    provider.raised = KeyError("a fault of ours")
    embedder = opened(provider, tmp_path)
    with pytest.raises(KeyError, match="a fault of ours"):
        list(embedder.embed(["a"], [1]))
    embedder.close()


def test_what_was_never_connected_was_never_sent() -> None:
    def raised(cause: Exception, *, is_named: bool) -> Exception:
        try:
            try:
                raise cause
            except Exception as error:
                raise OSError("wrapped") from (error if is_named else None)
        except OSError as error:
            return error

    assert not was_sent(ConnectError())
    assert not was_sent(raised(ConnectError(), is_named=True))
    assert was_sent(raised(ConnectError(), is_named=False))
    assert was_sent(raised(TimeoutError(), is_named=True))


# Money that was spent and vectors that were stored are found by these; no later version may make others.
@pytest.mark.parametrize(
    ("settings", "space", "account"),
    [
        ({}, "930caafe4508bfc4", "8a029fb3b88028a4"),
        ({"model": "text-embedding-3-large"}, "8fc9a10334f211be", "8a029fb3b88028a4"),
        ({"model": "text-embedding-ada-002"}, "0f68df573f5f9a58", "8a029fb3b88028a4"),
        ({"dimensions": 8}, "f296dec6904a14a8", "8a029fb3b88028a4"),
        ({"model": "my-own", "dimensions": 12}, "1c467984829620d4", "8a029fb3b88028a4"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "930caafe4508bfc4", "a044abcd5d0e3cbe"),
    ],
)
def test_openais_spaces_and_accounts_are_what_they_were(settings: dict[str, object], space: str, account: str) -> None:
    config = Config.model_validate({"kind": "openai", "api_key": "sk-test", **settings})
    embedder = PaidEmbedder(config, OpenAIProvider(config), "sqlite://")
    assert embedder.space.fingerprint == space
    assert embedder._opened().account._id == account
    embedder.close()
