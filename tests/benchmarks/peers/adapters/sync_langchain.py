"""LangChain: `index()` with cleanup="full" and an SQLRecordManager, into a local store.

python sync_langchain.py chroma|qdrant sync FOLDER STATE --embedder hashing|minilm
"""

import hashlib
import sys
import uuid

import numpy as np
from command import DIMENSION, Hashing, Job, run
from langchain_classic.indexes import SQLRecordManager
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import index
from langchain_core.vectorstores import VectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

CHARACTERS = 475  # about as many chunks of the corpus as Headrace makes
COLLECTION = "bench"
BATCH = 100  # its default


class Counted(Embeddings):
    def __init__(self, embedder: Hashing) -> None:
        self._embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        found: np.ndarray = self._embedder.embed(texts)
        return found.tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def sync_chroma(job: Job) -> int:
    from chromadb.config import Settings
    from langchain_chroma import Chroma

    store = Chroma(
        COLLECTION,
        Counted(job.embedder),
        persist_directory=str(job.state / "store"),
        client_settings=Settings(is_persistent=True, anonymized_telemetry=False),
    )
    _index(job, store, "blake2b")
    return store._collection.count()


def sync_qdrant(job: Job) -> int:
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient
    from qdrant_client.models import Distance, VectorParams

    client = QdrantClient(path=str(job.state / "store"))
    if not client.collection_exists(COLLECTION):
        client.create_collection(COLLECTION, VectorParams(size=DIMENSION, distance=Distance.COSINE))
    # Its own check of the collection would embed a text in each run.
    store = QdrantVectorStore(client, COLLECTION, Counted(job.embedder), validate_collection_config=False)
    _index(job, store, _uuid_of)  # Qdrant takes UUIDs only, and no name of a hash gives one
    return client.count(COLLECTION).count


def _index(job: Job, store: VectorStore, key_encoder: object) -> None:
    records = SQLRecordManager(COLLECTION, db_url=f"sqlite:///{job.state}/records.db")
    records.create_schema()
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=0)
    documents = [
        Document(page_content=text, metadata={"source": path})
        for path, page in job.pages().items()
        for text in splitter.split_text(page)
    ]
    index(documents, records, store, batch_size=BATCH, cleanup="full", source_id_key="source", key_encoder=key_encoder)


def _uuid_of(document: Document) -> str:
    digest = hashlib.blake2b(f"{document.metadata['source']}\0{document.page_content}".encode(), digest_size=16)
    return str(uuid.UUID(bytes=digest.digest()))


if __name__ == "__main__":
    run({"chroma": sync_chroma, "qdrant": sync_qdrant}[sys.argv.pop(1)])
