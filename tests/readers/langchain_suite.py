"""LangChain's own suites over our embeddings; run by test_readers.py in an environment that has them."""

import os
from typing import Any

from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from flows.langchain import HeadraceEmbeddings


class TestUnit(EmbeddingsUnitTests):
    embeddings_class = HeadraceEmbeddings  # type: ignore[assignment]

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"config": os.environ["CONFIG"]}


class TestIntegration(EmbeddingsIntegrationTests):
    embeddings_class = HeadraceEmbeddings  # type: ignore[assignment]

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"config": os.environ["CONFIG"]}
