"""What LangChain's readers find in a collection, as JSON: python by_langchain.py JOBS.

Runs in an environment of its own, which has nothing of ours. JOBS is JSON: for each kind of store its address, a vector
and the name of a document.
"""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from langchain_core.embeddings import Embeddings

COLLECTION = "docs"


class Given(Embeddings):
    """Embeds every query as the vector of the command line."""

    def __init__(self, vector: list[float]) -> None:
        self.vector = vector

    def embed_query(self, text: str) -> list[float]:
        return self.vector

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.vector for _ in texts]


def qdrant(url: str, embedding: Embeddings, document: str) -> tuple[Any, Any]:
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient, models

    client = QdrantClient(url=url, check_compatibility=False)
    store = QdrantVectorStore(client, COLLECTION, embedding, content_payload_key="text")
    match = models.FieldCondition(key="metadata.document", match=models.MatchValue(value=document))
    return store, models.Filter(must=[match])


def chroma(url: str, embedding: Embeddings, document: str) -> tuple[Any, Any]:
    from chromadb import HttpClient
    from langchain_chroma import Chroma

    parts = urlsplit(url)
    client = HttpClient(host=parts.hostname or "", port=parts.port or 0)
    return Chroma(COLLECTION, embedding, client=client), {"document": document}


def pinecone(url: str, embedding: Embeddings, document: str) -> tuple[Any, Any]:
    from langchain_pinecone import PineconeVectorStore
    from pinecone import Pinecone

    index = Pinecone(api_key="pc-test-key").Index(host=url)
    store = PineconeVectorStore(index, embedding, text_key="text", namespace=COLLECTION)
    return store, {"document": {"$eq": document}}


def pgvector(url: str, embedding: Embeddings, document: str) -> tuple[Any, Any]:
    from langchain_postgres import PGEngine, PGVectorStore

    store = PGVectorStore.create_sync(
        PGEngine.from_connection_string(url),
        embedding,
        COLLECTION,
        schema_name="headrace",
        id_column="id",
        metadata_json_column="metadata",
    )
    return store, {"document": document}


READERS: dict[str, Callable[[str, Embeddings, str], tuple[Any, Any]]] = {
    "qdrant": qdrant,
    "chroma": chroma,
    "pinecone": pinecone,
    "pgvector": pgvector,
}


def read(kind: str, address: str, vector: list[float], document: str) -> Any:
    """What is nearest, and what is nearest in the document."""
    store, narrow = READERS[kind](address, Given(vector), document)
    near = store.similarity_search("anything", k=3)
    only = store.similarity_search("anything", k=3, filter=narrow)
    return [[{"text": one.page_content, "metadata": one.metadata} for one in hits] for hits in (near, only)]


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
