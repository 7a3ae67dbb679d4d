"""Ids and keys are what they always were, however they are computed: a stored collection depends on it."""

import uuid
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.dedupe import identity
from tasks.dedupe.identity import (
    NAMESPACE,
    Identity,
    Wanted,
    bookkeeping,
    document_version,
    embedding_key,
    payload_key,
    point_id,
    wanted_points,
)
from tasks.image import Image
from tasks.records import Chunk, Document, DocumentId, DocumentRef, VectorSpace

SPACE = VectorSpace("test", "letters", "1", 4, 100)
PINNED = ("2731b3e3aa0037532242b79e00289d13", "73d62242-ddac-587f-85bf-beca40260a92")
EARLIER_KEY = "37dbb019bdc653e73d8cf2fec2069a26"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
IDENTITY = Identity("p", SPACE, "lines")
NAMES = TEXT | st.sampled_from(["heading", "position", "title", "a", "zone", "source", "document"])


@given(TEXT, st.integers(0, 99))
def test_a_points_id_is_a_uuid_of_version_5(key: str, life: int) -> None:
    assert point_id(key, life) == str(uuid.uuid5(NAMESPACE, f"{key}:{life}"))


@given(
    st.dictionaries(NAMES, TEXT, max_size=4), st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=2)), max_size=4), TEXT
)
def test_the_key_of_a_payload_is_the_hash_of_all_of_it_its_text_by_the_embedding_key(
    metadata: dict[str, str], chunks: list[tuple[str, list[str]]], path: str
) -> None:
    document = Document(DocumentRef(DocumentId(f"s:{path}"), "s", path), "", metadata=metadata)
    cut = [Chunk(text, 1, 0, tuple(headings)) for text, headings in chunks]
    found = wanted_points(Identity(f"p{path}", SPACE, "lines"), document, cut)
    assert len(found) == len(cut)
    for key, wanted in found.items():
        assert key == payload_key(wanted.payload) == wanted.payload["headrace"]["key"]


def pinned() -> tuple[str, Wanted]:
    document = Document(DocumentRef(DocumentId("s:ä/b.md"), "s", "ä/b.md"), "", metadata={"title": 'A "B"\\'})
    found = wanted_points(Identity("p", SPACE, "lines"), document, [Chunk("Text\nä\u2028", 3, 0, ("A", "B"))])
    return next(iter(found.items()))


def test_keys_and_ids_of_stored_collections_stay_as_they_are() -> None:
    key, wanted = pinned()
    assert (key, point_id(key, 1)) == PINNED
    payload = wanted.payload
    earlier = {name: value for name, value in payload["metadata"].items() if name not in ("start", "end")}
    assert payload_key({**payload, "metadata": earlier}) == EARLIER_KEY  # of the time before chunks had a place
    book = bookkeeping(wanted.payload)
    assert book is not None
    assert book.is_intact
    assert book.embedding == wanted.embedding


PLACES = [(part, name) for part, held in pinned()[1].payload.items() if part != "text" for name in held]


@pytest.mark.parametrize(("part", "name"), PLACES)
def test_a_record_that_differs_anywhere_from_what_was_written_is_not_intact(part: str, name: str) -> None:
    payload = pinned()[1].payload
    value = payload[part][name]
    payload[part][name] = value + 1 if isinstance(value, int) else value[:-1] + ("0" if value[-1] != "0" else "1")
    book = bookkeeping(payload)
    assert book is not None
    assert not book.is_intact


VALUES = TEXT | st.none() | st.integers(0, 3) | st.booleans() | st.sampled_from(["1", "\n", ".A", "=1"])
PARTS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"position": VALUES}, optional={"heading": VALUES, "title": VALUES, "a": VALUES}
        ),
        "headrace": st.fixed_dictionaries(
            {"embedding": st.sampled_from(["0" * 32, "1" * 32])}, optional={"space": VALUES}
        ),
    },
    optional={"more": VALUES},
)


@given(PARTS, PARTS)
def test_keys_differ_where_any_field_of_the_payload_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = repr(sorted_deep(one)) == repr(sorted_deep(other))
    assert (payload_key(one) == payload_key(other)) == same


def sorted_deep(value: Any) -> Any:
    return sorted((name, sorted_deep(each)) for name, each in value.items()) if isinstance(value, dict) else value


@pytest.mark.parametrize(
    "change", [{"heading": None}, {"heading": 1}, {"title": None}, {"more": ""}, {"position": "0"}, {"position": False}]
)
def test_a_record_with_other_metadata_than_was_written_is_not_intact(change: dict[str, Any]) -> None:
    payload = pinned()[1].payload
    payload["metadata"] |= change
    book = bookkeeping(payload)
    assert book is not None
    assert not book.is_intact


@pytest.mark.parametrize("change", [{"text": "Text"}, {"text": None}, {"text": 1}, {"more": ""}])
def test_a_record_with_another_text_or_more_than_was_written_is_not_intact(change: dict[str, Any]) -> None:
    book = bookkeeping({**pinned()[1].payload, **change})
    assert book is not None
    assert not book.is_intact


def test_a_record_without_its_text_is_ours_but_not_intact() -> None:
    payload = pinned()[1].payload
    del payload["text"]
    book = bookkeeping(payload)
    assert book is not None
    assert not book.is_intact


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


def test_the_fingerprint_of_an_earlier_space_stays_what_it_was() -> None:
    earlier = VectorSpace("p", "m", "1", 4, 100, "passage: ", "query: ", "mean")
    assert earlier.fingerprint == "70ec7c4d8403b2e3"
    assert VectorSpace("p", "m", "1", 4, 100, "other: ", "query: ", "mean").fingerprint != earlier.fingerprint


def test_a_document_is_hashed_once_for_each_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = identity._hashed
    monkeypatch.setattr(identity, "_hashed", lambda text: hashed.append(text) or real(text))
    document = Document(DocumentRef(DocumentId("s:a"), "s", "a"), "Text.")
    versions = [document_version(fingerprint, document) for fingerprint in ("one", "other", "one", "one")]
    assert (len(hashed), len(set(versions))) == (2, 2)
    edited = replace(document, text="Other text.")
    assert document_version("one", edited) != versions[0]
    assert edited.versions.keys() == {"one"}
    assert document == replace(document)


def pictured(**change: Any) -> tuple[str, Wanted]:
    """Key and record of a picture of two pixels."""
    image = Image(20, 10, 2, 1, zlib.compress(b"abcdef"))
    ref = DocumentRef(DocumentId("s:a.png"), "s", "a.png")
    document = replace(Document(ref, "A cat.", metadata={"caption": "A cat."}, image=image), **change)
    return next(iter(wanted_points(IDENTITY, document, [Chunk(document.text, 0, 0)]).items()))


def test_a_picture_is_embedded_by_its_pixels_and_written_with_all_that_is_known_of_it() -> None:
    key, wanted = pictured()
    assert wanted.payload["text"] == "A cat."
    assert wanted.payload["metadata"] | {"width": 20, "height": 10, "caption": "A cat."} == wanted.payload["metadata"]
    others = [
        {"text": "A dog.", "metadata": {"caption": "A dog."}},
        {"image": Image(40, 20, 2, 1, zlib.compress(b"abcdef"))},
        {"image": Image(20, 10, 2, 1, zlib.compress(b"abcdef", 0))},
        {"image": Image(20, 10, 2, 1, zlib.compress(b"abcdeg"))},
        {"image": Image(20, 10, 1, 2, zlib.compress(b"abcdef"))},
    ]
    same = [(other == key, one.embedding == wanted.embedding) for other, one in (pictured(**it) for it in others)]
    assert same == [(False, True), (False, True), (True, True), (False, False), (False, False)]
    assert wanted.embedding != embedding_key(IDENTITY.space.fingerprint, wanted.payload["headrace"]["image"])


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("", "text", "A dog."), ("metadata", "caption", "A dog."), ("metadata", "width", 21), ("headrace", "image", "00")],
)
def test_a_pictures_record_that_was_changed_is_not_intact(part: str, name: str, value: object) -> None:
    payload = pictured()[1].payload
    book = bookkeeping(payload)
    assert book is not None
    assert book.is_intact
    (payload[part] if part else payload)[name] = value
    changed = bookkeeping(payload)
    assert changed is not None
    assert not changed.is_intact
