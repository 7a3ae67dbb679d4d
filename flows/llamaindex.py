"""A pipeline's embedder for LlamaIndex: the very vectors that its collection holds.

from flows.llamaindex import HeadraceEmbedding
index = VectorStoreIndex.from_vector_store(store, embed_model=HeadraceEmbedding("docs/headrace.yaml"))
"""

from pathlib import Path
from typing import Any

from llama_index.core.embeddings import BaseEmbedding
from pydantic import PrivateAttr

from config.read import read_pipeline
from tasks.search.embedding import LiveEmbedder


class HeadraceEmbedding(BaseEmbedding):
    """Embeds as the live generation of a pipeline was embedded, documents and queries each in their own way."""

    _embedder: LiveEmbedder = PrivateAttr()

    def __init__(self, config: str | Path, *, max_age: str | None = None, **settings: Any) -> None:
        """`config` is the pipeline's YAML file; the model is loaded with the first text.

        `max_age`, such as "1h": refuse queries while the last complete sync is longer ago.
        """
        embedder = LiveEmbedder(read_pipeline(Path(config)), max_age)
        super().__init__(model_name=embedder.model, **settings)
        self._embedder = embedder

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embedder.query(query).tolist()  # type: ignore[no-any-return]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.documents(texts).tolist()  # type: ignore[no-any-return]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)
