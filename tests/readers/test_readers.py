"""LangChain's and LlamaIndex's own readers read our collections, with the settings that the README names.

`make readers` makes their environments and runs this: they do not fit beside ours.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tasks.records import Sentinel
from tasks.upsert.base import VectorStore
from tasks.upsert.pgvector.store import PgvectorStore
from tasks.upsert.qdrant_server.store import QdrantServerStore
from tests.chroma_server import chroma_of_server
from tests.conftest import Pipeline
from tests.contracts.store.pinecone import open_pinecone
from tests.contracts.store.trial import point
from tests.pinecone_server import PineconeServer
from tests.points import columns
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif("READERS" not in os.environ, reason="make readers")

# LlamaIndex's names of columns are fixed, and a table is called `data_` and the name it is told.
VIEW = b"""CREATE VIEW headrace.data_docs AS SELECT 0::bigint AS id, id::text AS node_id, content AS text,
 metadata AS metadata_, embedding FROM headrace.docs"""
POINTS = [point(f"{letter}.md", source="docs", title=f"Page {letter}", position=0) for letter in "abcdef"]
NEAR = POINTS[2]
Answers = dict[str, Any]


def fill(store: VectorStore) -> None:
    """A collection as a run leaves it."""
    with closing(store):
        store.ensure(8)
        store.upsert(columns(*POINTS))
        store.mark(Sentinel("line", 1, "space"))


@pytest.fixture(scope="module")
def addresses(store_address: Callable[[str], str], postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """Where a collection of each kind is."""
    qdrant, chroma = store_address("qdrant server"), store_address("chroma server")
    pgvector = postgres.new_database("readers")
    fill(QdrantServerStore(qdrant, "docs"))
    fill(chroma_of_server(chroma, "docs"))
    fill(PgvectorStore(pgvector, "docs"))
    with psycopg.connect(postgres.dsn("readers"), autocommit=True) as connection:
        connection.execute(VIEW)
    with PineconeServer() as server:
        server.any_version = True
        fill(open_pinecone(server.url, "docs"))
        index = f"{server.url}/{next(iter(server.indexes))}"
        yield {"qdrant": qdrant, "chroma": chroma, "pgvector": pgvector, "pinecone": index}


@pytest.fixture(scope="module", params=["langchain", "llamaindex"])
def answers(request: pytest.FixtureRequest, addresses: dict[str, str]) -> Answers:
    """What a library's readers found: one process for all, for it takes long to start."""
    jobs = {
        kind: [address, NEAR.vector.tolist(), NEAR.payload["metadata"]["document"]]
        for kind, address in addresses.items()
    }
    program = ROOT / ".venvs" / request.param / "bin" / "python"
    script = Path(__file__).with_name(f"by_{request.param}.py")
    run = subprocess.run([program, script, json.dumps(jobs)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found: Answers = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("kind", ["qdrant", "chroma", "pinecone", "pgvector"])
def test_a_reader_of_others_finds_text_and_metadata_and_filters(kind: str, answers: Answers) -> None:
    assert isinstance(answers[kind], list), answers[kind]
    nearest, only = answers[kind]
    assert 2 <= len(nearest) <= 3  # LangChain leaves out Headrace's mark in Pinecone, and takes no other for it
    assert len(only) == 1
    for hit in (nearest[0], only[0]):
        assert hit["text"] == NEAR.payload["text"]
        metadata = hit["metadata"].get("metadata", hit["metadata"])  # LlamaIndex takes Qdrant's payload as it is
        assert metadata.items() >= NEAR.payload["metadata"].items()


def test_langchains_own_suites_pass_over_our_embeddings(pipeline: Pipeline) -> None:
    assert pipeline.sync()["code"] == 0
    ours = Path(np.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ours}", "CONFIG": str(pipeline.config)}
    python = ROOT / ".venvs" / "langchain-tests" / "bin" / "python"
    suite = [
        str(python),
        "-m",
        "pytest",
        "-q",
        "-o",
        "asyncio_mode=auto",
        "-c",
        os.devnull,
        "-p",
        "no:cacheprovider",
        "langchain_suite.py",
    ]
    done = subprocess.run(suite, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
