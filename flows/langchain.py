"""A pipeline's embedder for LangChain: the very vectors that its collection holds.

from flows.langchain import HeadraceEmbeddings
store = QdrantVectorStore(client, "docs-live", embedding=HeadraceEmbeddings("docs/headrace.yaml"))
"""

from pathlib import Path

from langchain_core.embeddings import Embeddings

from config.read import read_pipeline
from tasks.search.embedding import LiveEmbedder


class HeadraceEmbeddings(Embeddings):
    """Embeds as the live generation of a pipeline was embedded, documents and queries each in their own way."""

    def __init__(self, config: str | Path, *, max_age: str | None = None) -> None:
        """`config` is the pipeline's YAML file; the model is loaded with the first text.

        `max_age`, such as "1h": refuse queries while the last complete sync is longer ago.
        """
        self._embedder = LiveEmbedder(read_pipeline(Path(config)), max_age)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of unit length, in the order of the texts."""
        return self._embedder.documents(texts).tolist()  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        """A vector of unit length, made with the query side of the model."""
        return self._embedder.query(text).tolist()  # type: ignore[no-any-return]
