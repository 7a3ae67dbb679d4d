"""A server of its own for each test, and collections in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tasks.upsert.pinecone.store import PineconeStore
from tests.contracts.store.pinecone import open_pinecone
from tests.pinecone_server import PineconeServer

Open = Callable[..., PineconeStore]


@pytest.fixture
def server() -> Iterator[PineconeServer]:
    with PineconeServer() as made:
        yield made


@pytest.fixture
def make(server: PineconeServer) -> Iterator[Open]:
    """A collection so named, of 8 dimensions unless told otherwise."""
    with ExitStack() as stack:

        def made(name: str = "c", dimension: int = 8) -> PineconeStore:
            store = stack.enter_context(closing(open_pinecone(server.url, name)))
            store.ensure(dimension)
            server.paths()
            return store

        yield made
