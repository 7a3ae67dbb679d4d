"""The stores that are held to the contract: a new kind is a line here."""

import os
from functools import partial

from tasks.upsert.lancedb.store import LanceStore
from tasks.upsert.memory import MemoryStore
from tasks.upsert.pgvector.store import PgvectorStore
from tasks.upsert.qdrant_embedded.store import QdrantStore
from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.bucket_server import bucket
from tests.chroma_server import chroma_database, chroma_of_folder, chroma_of_server, let_requests_end
from tests.contracts.store.pinecone import PINECONE, open_pinecone, open_service, service_index, wants_service
from tests.contracts.store.toy import LateToy, ReadableToy, SharedToy, ToyStore, wait_for_late
from tests.contracts.store.trial import Kind
from tests.pinecone_server import pinecone_server
from tests.postgres_server import postgres_database
from tests.qdrant_server import own_qdrant, qdrant_address

KINDS = {
    "memory": Kind(lambda database, collection: MemoryStore(), is_durable=False, is_exclusive=False),
    "qdrant": Kind(partial(QdrantStore, wait_seconds=2.0), is_durable=True, is_exclusive=True, has_readers=True),
    "qdrant server": Kind(
        QdrantServerStore,
        is_durable=True,
        is_exclusive=False,
        server=qdrant_address,
        proof="a stand-in, by the real client",
    ),
    "pgvector": Kind(
        PgvectorStore, is_durable=True, is_exclusive=False, server=postgres_database, proof="a real server"
    ),
    "chroma": Kind(chroma_of_folder, is_durable=True, is_exclusive=False, proof="a real server"),
    "chroma server": Kind(
        chroma_of_server,
        is_durable=True,
        is_exclusive=False,
        server=chroma_database,
        settle=let_requests_end,
        proof="a real server",
    ),
    "lancedb": Kind(LanceStore, is_durable=True, is_exclusive=False),
    "pinecone": Kind(open_pinecone, **PINECONE, server=pinecone_server, proof="a stand-in, by the real SDK"),
}
# Held to the whole contract by `make matrix` alone: each of its requests takes a stand-in for S3 some milliseconds.
BUCKETS = {"lancedb bucket": Kind(LanceStore, is_durable=True, is_exclusive=False, server=bucket, proof="moto's S3")}
KINDS |= BUCKETS if os.environ.get("MATRIX") else {}
if url := os.environ.get("QDRANT_URL"):  # a server of the user's own: `make smoke-qdrant`
    key = os.environ.get("QDRANT_API_KEY", "")
    KINDS["own qdrant"] = Kind(
        partial(QdrantServerStore, api_key=key),
        is_durable=True,
        is_exclusive=False,
        server=partial(own_qdrant, url, key),
    )
KINDS |= {"pinecone service": Kind(open_service, **PINECONE, server=service_index)} if wants_service() else {}
SERVICES = {"own qdrant", "pinecone service"}  # of a user's own
DURABLE = [name for name, kind in KINDS.items() if kind.is_durable]

# Sound, small and quick: so every check has been seen to pass, whatever a kind promises.
TOYS = {
    "toy": Kind(ToyStore, is_durable=True, is_exclusive=True),
    "readable toy": Kind(ReadableToy, is_durable=True, is_exclusive=True, has_readers=True),
    "shared toy": Kind(SharedToy, is_durable=True, is_exclusive=False),
    "late toy": Kind(LateToy, is_durable=True, is_exclusive=False, settle=wait_for_late),
}
