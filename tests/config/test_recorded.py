"""What a generation keeps of its settings, and what it takes from the configuration of today."""

import json
from typing import Any

import pytest

from config.pipeline import Pipeline
from config.recorded import as_recorded, recorded_settings, shape


def configured(embedder: dict[str, Any], **others: Any) -> Pipeline:
    given = {"name": "kept", "sources": [{"path": "s"}], "store": {"kind": "memory"}, **others}
    return Pipeline.model_validate({**given, "embedder": embedder})


def paid(**settings: Any) -> dict[str, Any]:
    return {"kind": "openai", **settings}


def kept(pipeline: Pipeline) -> Any:
    """As the ledger gives it back."""
    return json.loads(json.dumps(recorded_settings(pipeline)))


def test_no_secret_is_kept() -> None:
    embedder = paid(api_key="sk-secret", budget="postgresql://u:secret@h/d", base_url="https://me:secret@host/v1")
    assert "secret" not in json.dumps(kept(configured(embedder)))
    assert kept(configured(embedder))["embedder"]["base_url"] == "https://host/v1"


def test_a_key_goes_to_its_own_server_alone() -> None:
    old = kept(configured(paid(model="bge", base_url="http://here:1/v1", api_key="k1", dimensions=8)))
    same: Any = as_recorded(configured(paid(api_key="k2", base_url="http://u:p@here:1/v1")), old).embedder
    assert (same.model, same.base_url, same.api_key.get_secret_value()) == ("bge", "http://u:p@here:1/v1", "k2")
    other: Any = as_recorded(configured(paid(api_key="k2")), old).embedder
    assert (other.model, other.base_url, other.api_key) == ("bge", "http://here:1/v1", None)


def test_money_and_machine_are_those_of_today() -> None:
    old = kept(configured(paid(max_usd=5, concurrency=2)))
    now: Any = as_recorded(configured(paid(model="text-embedding-3-large", max_usd=1)), old).embedder
    assert (now.model, now.max_usd, now.concurrency) == ("text-embedding-3-small", 1, 8)
    local = kept(configured({"kind": "sentence-transformers", "model": "m", "device": "cuda:3", "dimensions": 8}))
    here: Any = as_recorded(configured({"kind": "sentence-transformers", "device": "cpu"}), local).embedder
    assert (here.model, here.device, here.dimensions) == ("m", "cpu", 8)
    then: Any = as_recorded(configured(paid()), local).embedder
    assert (then.model, then.device) == ("m", "cuda:3")


def test_a_query_model_stays_with_its_model() -> None:
    """Another family's would find nothing in vectors of the past."""
    old = kept(configured(paid(model="a", query_model="a-fast")))
    same: Any = as_recorded(configured(paid(model="a", query_model="a-faster")), old).embedder
    other: Any = as_recorded(configured(paid(model="b", query_model="b-fast")), old).embedder
    assert (same.query_model, other.query_model) == ("a-faster", "a-fast")
    assert shape(configured(paid(model="a", query_model="a-fast"))) == shape(configured(paid(model="a")))


def test_only_what_changes_vectors_or_chunks_changes_the_shape() -> None:
    one = shape(configured(paid(api_key="k", max_usd=3, base_url="http://a/v1")))
    assert one == shape(configured(paid(base_url="http://b/v1", concurrency=3)))
    assert one != shape(configured(paid(dimensions=8)))
    assert one != shape(configured(paid(), chunking={"max_tokens": 64}))
    pipeline = configured(paid(dimensions=8), chunking={"max_tokens": 64})
    assert shape(as_recorded(configured({"kind": "hashing"}), kept(pipeline))) == shape(pipeline)


def test_each_generation_has_a_place_of_its_own() -> None:
    first = configured({"kind": "hashing"}, state="sqlite:////data/kept.db?timeout=3")
    third = first.as_generation(3)
    assert (third.state, third.collection) == ("sqlite:////data/kept.db.3?timeout=3", "kept-3")
    assert (third.generation, third.live_name, third.limited_to(1).generation) == (3, "kept-live", 3)
    assert third.as_generation(2) == first.as_generation(2)
    back = third.as_generation(1)
    assert (back, back.generation, back.live_name) == (first, 1, "kept-live")
    assert first.as_generation(1).collection == "kept"
    for url in ("sqlite://", "postgresql://u@h/d"):
        assert configured({"kind": "hashing"}, state=url).as_generation(2).state == url


def test_a_generation_keeps_its_precision_in_the_store_that_it_was_built_in() -> None:
    def stored(**store: Any) -> Pipeline:
        return configured({"kind": "hashing"}, store=store)

    table: dict[str, Any] = {"kind": "lancedb", "path": "/db"}
    halves, whole = stored(**table, precision="float16"), stored(**table)
    assert shape(halves) != shape(whole) == shape(stored(kind="memory"))
    assert as_recorded(whole, kept(halves)).store == halves.store
    assert as_recorded(halves, kept(whole)).store == whole.store
    before = {name: part for name, part in kept(halves).items() if name != "precision"}
    assert as_recorded(halves, before).store == whole.store, "nothing else was known to a generation of earlier"
    assert as_recorded(stored(kind="memory"), kept(halves)).store == stored(kind="memory").store
    server = {"kind": "qdrant", "url": "http://h:6333", "precision": "binary"}
    assert as_recorded(halves, kept(stored(**server))).store == halves.store


def test_an_embedded_engine_quantises_nothing() -> None:
    for precision in ("int8", "binary"):
        with pytest.raises(ValueError, match="is a server's"):
            configured({"kind": "hashing"}, store={"kind": "qdrant", "precision": precision})
