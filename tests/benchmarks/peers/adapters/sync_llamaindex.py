"""LlamaIndex: an IngestionPipeline with UPSERTS_AND_DELETE, its cache and its document store, into Qdrant local.

python sync_llamaindex.py sync FOLDER STATE --embedder hashing|minilm
"""

from pathlib import Path
from typing import Any

from command import Job, run
from llama_index.core import Document
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

TOKENS = 110  # about as many chunks of the corpus as Headrace makes
COLLECTION = "bench"


class Counted(BaseEmbedding):
    _embedder: Any = None

    def bind(self, embedder: Any) -> "Counted":
        self._embedder = embedder
        return self

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.embed(texts).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def sync(job: Job) -> int:
    client = QdrantClient(path=str(job.state / "store"))
    kept = job.state / "pipeline"
    pipeline = IngestionPipeline(
        transformations=[
            SentenceSplitter(chunk_size=TOKENS, chunk_overlap=0),
            Counted(embed_batch_size=100).bind(job.embedder),
        ],
        vector_store=QdrantVectorStore(COLLECTION, client=client),
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    )
    if kept.exists():
        pipeline.load(str(kept))
    documents = [Document(text=text, id_=path, metadata={}) for path, text in job.pages().items()]
    pipeline.run(documents=documents)
    pipeline.persist(str(_made(kept)))
    return client.count(COLLECTION).count if client.collection_exists(COLLECTION) else 0


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    run(sync)
