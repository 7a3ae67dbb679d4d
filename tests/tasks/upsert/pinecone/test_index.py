"""The index: made where it is missing, refused where it does not fit."""

import pytest

from tasks.errors import CollectionError, ServiceError, TransientError
from tasks.upsert.pinecone import index as connection
from tests.contracts.store.pinecone import open_pinecone
from tests.contracts.store.trial import holds, point
from tests.pinecone_server import Fault, PineconeServer
from tests.points import columns
from tests.tasks.upsert.pinecone.conftest import Open


def test_a_missing_index_is_made_where_the_settings_say_and_waited_for(server: PineconeServer) -> None:
    server.ready_seconds = 0.3
    store = open_pinecone(server.url, "c")
    store.ensure(8)
    body = server.indexes["trial"].body
    assert body["schema"]["fields"] == {"_values": {"type": "dense_vector", "dimension": 8, "metric": "cosine"}}
    assert (body["deployment"]["cloud"], body["deployment"]["region"]) == ("aws", "us-east-1")
    store.upsert(columns(one := point()))
    holds(store, one)
    store.close()


def test_an_index_that_does_not_become_ready_ends_the_wait(
    server: PineconeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READY_SECONDS", 0.2)
    server.ready_seconds = 60
    store = open_pinecone(server.url, "c")
    assert store.sentinel() is None
    with pytest.raises(TransientError, match="not ready after 0 s"):
        store.ensure(8)
    server.indexes["trial"].state = "InitializationFailed"
    with pytest.raises(ServiceError, match="InitializationFailed; delete it"):
        store.ensure(8)
    store.close()


def test_an_index_that_another_process_makes_meanwhile_is_taken(server: PineconeServer) -> None:
    other = open_pinecone(server.url, "other")
    other.ensure(8)
    server.faults.append(Fault("/indexes", 404))  # asked before the other made it
    server.faults.append(Fault("/indexes", 404))
    store = open_pinecone(server.url, "c")
    store.ensure(8)
    assert ("POST", "/indexes") in server.asked
    store.close()
    other.close()


@pytest.mark.parametrize("metric", ["euclidean", "dotproduct"])
def test_another_metric_is_refused(server: PineconeServer, make: Open, metric: str) -> None:
    make()
    server.indexes["trial"].body["schema"]["fields"]["_values"]["metric"] = metric
    store = open_pinecone(server.url, "c")
    with pytest.raises(CollectionError, match=f"compares by {metric}, expected cosine"):
        store.ensure(8)
    store.close()


def test_an_index_of_other_vectors_is_refused(server: PineconeServer, make: Open) -> None:
    make()
    server.indexes["trial"].body["schema"]["fields"] = {"_sparse_values": {"type": "sparse_vector"}}
    store = open_pinecone(server.url, "c")
    with pytest.raises(CollectionError, match="holds vectors of 0 dimensions"):
        store.ensure(8)
    store.close()
