"""Ids and keys are what they always were, however they are computed: a stored collection depends on it."""

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tasks.dedupe.identity import (
    NAMESPACE,
    Identity,
    bookkeeping,
    document_version,
    payload_key,
    point_id,
    wanted_points,
)
from tasks.records import Chunk, Document, DocumentId, DocumentRef, VectorSpace

SPACE = VectorSpace("test", "letters", "1", 4, 100)
PINNED = ("2a96f98848a89e2a320bcfabd88a9b60", "874332de-0fd0-5c8c-8848-54ebfcfd4ca6")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXT | st.sampled_from(["heading", "position", "title", "a", "zone", "source", "document"])


@given(TEXT, st.integers(0, 99))
def test_a_points_id_is_a_uuid_of_version_5(key: str, life: int) -> None:
    assert point_id(key, life) == str(uuid.uuid5(NAMESPACE, f"{key}:{life}"))


@given(
    st.dictionaries(NAMES, TEXT, max_size=4), st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=2)), max_size=4), TEXT
)
def test_the_key_of_a_payload_is_the_hash_of_all_of_it(
    metadata: dict[str, str], chunks: list[tuple[str, list[str]]], path: str
) -> None:
    document = Document(DocumentRef(DocumentId(f"s:{path}"), "s", path), "", metadata=metadata)
    cut = [Chunk(text, 1, 0, tuple(headings)) for text, headings in chunks]
    found = wanted_points(Identity(f"p{path}", SPACE, "lines"), document, cut)
    assert len(found) == len(cut)
    for key, wanted in found.items():
        assert key == payload_key(wanted.payload) == wanted.payload["headrace"]["key"]


def test_keys_and_ids_of_stored_collections_stay_as_they_are() -> None:
    document = Document(DocumentRef(DocumentId("s:ä/b.md"), "s", "ä/b.md"), "", metadata={"title": 'A "B"\\'})
    found = wanted_points(Identity("p", SPACE, "lines"), document, [Chunk("Text\nä\u2028", 3, 0, ("A", "B"))])
    key, wanted = next(iter(found.items()))
    assert (key, point_id(key, 1)) == PINNED
    payload: dict[str, Any] = wanted.payload
    book = bookkeeping(payload)
    assert book is not None
    assert book.is_intact
    assert book.embedding == wanted.embedding


CONTENTS = st.tuples(
    TEXT | st.sampled_from(["\n", '"]\n', "{}]\n"]),
    st.sampled_from(["text", "code"]),
    TEXT,
    st.dictionaries(TEXT, TEXT | st.just("\n"), max_size=2),
)


@given(CONTENTS, CONTENTS)
def test_versions_differ_where_anything_differs(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    versions = [
        document_version("shape", Document(DocumentRef(DocumentId("s:a"), "s", "a"), *contents))
        for contents in (one, other)
    ]
    assert (versions[0] == versions[1]) == (one == other)
