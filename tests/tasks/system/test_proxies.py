"""What the environment says of proxies is a setting, and a wrong one is told as such, whoever reads it first."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.embedders import CohereEmbedder, GeminiEmbedder, OpenAIEmbedder, VoyageEmbedder
from config.pipeline import Rerank
from tasks.embed.api.cohere import CohereProvider
from tasks.embed.api.gemini import GeminiProvider
from tasks.embed.api.openai import OpenAIProvider
from tasks.embed.api.voyage import VoyageProvider
from tasks.errors import ConfigError, HeadraceError
from tasks.search.rerank import open_reranker
from tasks.upsert.chroma.server import RemoteServer
from tasks.upsert.chroma.store import ChromaStore
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tasks.upsert.qdrant_server.store import QdrantServerStore

NOWHERE = "http://127.0.0.1:9"
PAID = {"api_key": SecretStr("sk-test"), "base_url": NOWHERE}
ASKING: dict[str, Callable[[], object]] = {
    "openai": lambda: OpenAIProvider(OpenAIEmbedder(kind="openai", **PAID)).call(["a"], "query"),
    "cohere": lambda: CohereProvider(CohereEmbedder(kind="cohere", **PAID)).call(["a"], "query"),
    "voyage": lambda: VoyageProvider(VoyageEmbedder(kind="voyage", **PAID)).call(["a"], "query"),
    "gemini": lambda: GeminiProvider(GeminiEmbedder(kind="gemini", **PAID)).call(["a"], "query"),
    "rerank": lambda: open_reranker(Rerank(model="rerank-2.5", api_key=SecretStr("sk-test")), "sqlite://").scores(
        "a", ["b"]
    ),
    "chroma": lambda: ChromaStore(RemoteServer(NOWHERE, "", "t", "d"), "c").count(),
    "qdrant": lambda: QdrantServerStore(NOWHERE, "c").count(),
}
PROXIES = {
    "foo:bar:secret": "no address of a proxy",
    "http://user:pass#secret@host:3128": "no address of a proxy",
    "ftp://secret@host": "no address of a proxy",
    "socks5://user:secret@host:1080": "pip install socksio",
}


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("kind", ASKING)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    kind: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigError, match=PROXIES[proxy]) as caught:
        ASKING[kind]()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["chroma", "qdrant"])
def test_a_server_that_is_not_reached_through_a_proxy_says_that_there_is_one(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    with pytest.raises(HeadraceError, match="names a proxy, and NO_PROXY the hosts"):
        ASKING[kind]()
    monkeypatch.delenv("HTTP_PROXY")
    with pytest.raises(HeadraceError) as caught:
        ASKING[kind]()
    assert "PROXY" not in str(caught.value)


def test_what_lies_on_this_machine_is_asked_without_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://host:1080")
    assert QdrantStore(str(tmp_path), "c").count() == 0
