"""Embeddings classes as users have them: good ones and bad ones."""

from typing import Any

from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings


class Upwards(DeterministicFakeEmbedding):
    """Another space in the same number of dimensions."""

    def embed_query(self, text: str) -> list[float]:
        return super().embed_query(text[::-1])

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


class Broken(Embeddings):
    """Answers what it was told to, or raises it."""

    def __init__(self, documents: Any = None, error: str = "", needs: str = "") -> None:
        if needs:
            raise ValueError(f"{needs} is missing")
        self.documents = documents
        self.error = error

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.error:
            raise type(self.error, (Exception,), {})("the server said no")
        return self.documents  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]
