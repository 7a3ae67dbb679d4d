"""What LlamaIndex's readers find in a collection, as JSON: python by_llamaindex.py JOBS.

Runs in an environment of its own, which has nothing of ours. JOBS is JSON: for each kind of store its address, a vector
and the name of a document.
"""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters, VectorStoreQuery

COLLECTION = "docs"


def qdrant(url: str) -> tuple[Any, str]:
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    client = QdrantClient(url=url, check_compatibility=False)
    return QdrantVectorStore(COLLECTION, client, index_doc_id=False), "metadata."


def chroma(url: str) -> tuple[Any, str]:
    from chromadb import HttpClient
    from llama_index.vector_stores.chroma import ChromaVectorStore

    parts = urlsplit(url)
    client = HttpClient(host=parts.hostname or "", port=parts.port or 0)
    return ChromaVectorStore(client.get_collection(COLLECTION)), ""


def pinecone(url: str) -> tuple[Any, str]:
    from llama_index.vector_stores.pinecone import PineconeVectorStore
    from pinecone import Pinecone

    index = Pinecone(api_key="pc-test-key").Index(host=url)
    return PineconeVectorStore(index, namespace=COLLECTION, text_key="text"), ""


def pgvector(url: str) -> tuple[Any, str]:
    from llama_index.vector_stores.postgres import PGVectorStore

    store = PGVectorStore(
        connection_string=url.replace("+psycopg", ""),
        async_connection_string=url.replace("+psycopg", "+asyncpg"),
        table_name=COLLECTION,
        schema_name="headrace",
        embed_dim=8,
        use_jsonb=True,
        perform_setup=False,
    )
    return store, ""


READERS: dict[str, Callable[[str], tuple[Any, str]]] = {
    "qdrant": qdrant,
    "chroma": chroma,
    "pinecone": pinecone,
    "pgvector": pgvector,
}


def read(kind: str, address: str, vector: list[float], document: str) -> Any:
    """What is nearest in the source, and what is nearest in the document."""
    store, prefix = READERS[kind](address)
    shapes = []
    for key, value in (("source", "docs"), ("document", document)):
        filters = MetadataFilters(filters=[MetadataFilter(key=prefix + key, value=value)])
        query = VectorStoreQuery(query_embedding=vector, similarity_top_k=3, filters=filters)
        nodes = store.query(query).nodes
        shapes.append([{"text": one.get_content(), "metadata": one.metadata} for one in nodes])
    return shapes


def main(jobs: dict[str, list[Any]]) -> None:
    shape: dict[str, Any] = {}
    for kind, arguments in jobs.items():
        try:
            shape[kind] = read(kind, *arguments)
        except Exception:
            shape[kind] = traceback.format_exc()
    print(json.dumps(shape, default=str))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
