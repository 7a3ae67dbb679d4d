"""A stand-in for the server, and collections of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.qdrant_server import QdrantServer


@pytest.fixture
def server() -> Iterator[QdrantServer]:
    with QdrantServer() as running:
        yield running


@pytest.fixture
def opened(server: QdrantServer) -> Iterator[Callable[..., QdrantServerStore]]:
    """A collection so named, perhaps not made yet."""
    with ExitStack() as stack:

        def made(name: str = "c", key: str = "", seconds: int = 10) -> QdrantServerStore:
            return stack.enter_context(closing(QdrantServerStore(server.url, name, key, seconds)))

        yield made
