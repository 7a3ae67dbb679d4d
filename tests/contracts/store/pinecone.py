"""Pinecone on trial: the test server, and the service itself where somebody asks for it and pays."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from config.stores import PineconeStore as Settings
from tasks.upsert.pinecone.store import PineconeStore
from tests.pinecone_server import KEY

PINECONE: dict[str, Any] = {
    "is_durable": True,
    "is_exclusive": False,
    "has_one_dimension": True,
    "names_are_collections": False,
    "settle": lambda store: store.present([]),  # which waits until what this store wrote shows, to everybody
}
SERVICE_SECONDS = 3.0  # what a process wrote before it was killed has shown by then


def open_pinecone(database: str, collection: str) -> PineconeStore:
    """The database is the test server's address."""
    settings = {"kind": "pinecone", "index": "trial", "api_key": KEY, "host": database}
    return PineconeStore(Settings.model_validate(settings), collection)


def open_service(database: str, collection: str) -> PineconeStore:
    """The database is an index of the service; the key is the user's."""
    time.sleep(SERVICE_SECONDS)
    return PineconeStore(Settings.model_validate({"kind": "pinecone", "index": database}), collection)


def wants_service() -> bool:
    return os.environ.get("SMOKE") == "pinecone"


@contextmanager
def service_index() -> Iterator[str]:
    """An index of its own, deleted at the end."""
    from pinecone import Pinecone

    name = f"headrace-smoke-{uuid.uuid4().hex[:8]}"
    try:
        yield name
    finally:
        with Pinecone() as client:
            if client.has_index(name):
                client.delete_index(name, timeout=-1)
