"""The place of every chunk in its document, as its record has it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tasks.dedupe.identity import Identity, bookkeeping, wanted_points
from tasks.places import Extent, Place
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Payload, VectorSpace

IDENTITY = Identity("p", VectorSpace("test", "letters", "1", 4, 100), "lines")
FRONT = "---\ntitle: A\n---\n"
BODY = "# A\n\nFirst.\nSecond.\n\n## B\n\nThird.\n"


def document(text: str, extent: Extent = Extent(), places: tuple[Place, ...] = ()) -> Document:  # noqa: B008 - a tuple
    return Document(DocumentRef(DocumentId("s:a"), "s", "a"), text, extent=extent, places=places)


def records(one: Document, *chunks: Chunk) -> list[Payload]:
    return [wanted.payload for wanted in wanted_points(IDENTITY, one, chunks).values()]


def test_spans_and_lines_are_those_of_the_file() -> None:
    file = FRONT + BODY
    texts = ["First.\nSecond.", "## B\n\nThird."]
    chunks = [Chunk(text, 1, BODY.index(text)) for text in texts]
    for payload, text in zip(records(document(BODY, Extent(len(FRONT), 4)), *chunks), texts, strict=True):
        where = payload["metadata"]
        assert file[where["start"] : where["end"]] == text
        assert "\n".join(file.split("\n")[where["line"] - 1 : where["last_line"]]) == text


@given(st.text("ab\n", min_size=1), st.data())
def test_lines_are_right_wherever_chunks_begin(text: str, data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.integers(0, len(text) - 1), max_size=5))  # overlaps go back
    chunks = [Chunk(text[start : start + 3], 1, start) for start in starts]
    wanted = wanted_points(IDENTITY, document(text, Extent(0, 1)), chunks)
    for payload, chunk, _ in wanted.values():
        assert payload["metadata"]["line"] == text.count("\n", 0, chunk.start) + 1


def test_a_file_without_lines_of_its_own_tells_none() -> None:
    (payload,) = records(document("Words.", places=(Place(0, "page", 3),)), Chunk("Words.", 1, 0))
    assert payload["metadata"] == {
        "source": "s", "document": "a", "position": 0, "start": 0, "end": 6, "page": [3]
    }  # fmt: skip


def test_what_is_repeated_is_stored_and_context_stands_beside_the_text() -> None:
    plain, led = (
        next(iter(wanted_points(IDENTITY, document("| 1 |"), [chunk]).values()))
        for chunk in (Chunk("| 1 |", 1, 0), Chunk("| 1 |", 1, 0, repeated="| Bar |\n", context="Pumps\n\n"))
    )
    assert (led.payload["text"], led.payload["metadata"]["context"]) == ("| Bar |\n| 1 |", "Pumps\n\n")
    assert (led.payload["metadata"]["start"], led.payload["metadata"]["end"]) == (0, 5)
    assert led.embedding != plain.embedding
    book = bookkeeping(led.payload)
    assert book is not None
    assert book.is_intact
    led.payload["metadata"]["context"] = "Pumps\n"
    book = bookkeeping(led.payload)
    assert book is not None
    assert not book.is_intact


def test_a_corrected_place_is_another_record_of_the_same_vector() -> None:
    chunk = Chunk("Words.", 1, 0)
    before, after = (
        wanted_points(IDENTITY, document("Words.", places=(Place(0, "page", page),)), [chunk]) for page in (1, 2)
    )
    assert before.keys() != after.keys()
    assert {one.embedding for one in before.values()} == {one.embedding for one in after.values()}
    assert replace(document("Words."), places=(Place(0, "page", 1),)) != document("Words.")
