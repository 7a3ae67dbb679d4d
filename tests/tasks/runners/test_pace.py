"""Windows grow with the speed of the work, within bounds of time and memory, and hold enough chunks to sort."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.records import DocumentId, DocumentRef
from tasks.runners.pace import (
    FIRST_BYTES,
    FIRST_DOCUMENTS,
    LEAST_TEXTS,
    LEFT,
    MOST_AT_FIRST,
    MOST_BYTES,
    MOST_CHUNKS,
    MOST_DOCUMENTS,
    PART,
    Pace,
)


def refs(sizes: list[int]) -> list[DocumentRef]:
    return [DocumentRef(DocumentId(f"s:{number}"), "s", str(number), "", size) for number, size in enumerate(sizes)]


@given(st.lists(st.integers(0, 3 * MOST_BYTES), max_size=300))
def test_every_document_is_in_one_window_and_no_window_is_too_large(sizes: list[int]) -> None:
    windows = [window.refs for window in Pace().windows(refs(sizes))]
    assert [ref for window in windows for ref in window] == refs(sizes)
    for window in windows:
        size = sum(ref.size_bytes for ref in window[:-1])
        assert size < MOST_BYTES
        assert 1 <= len(window) <= FIRST_DOCUMENTS or size < FIRST_BYTES


def test_fast_work_gets_larger_windows_step_by_step() -> None:
    pace = Pace()
    sizes = []
    for window in pace.windows(refs([0] * 20_000)):
        sizes.append(len(window.refs))
        pace.finished(len(window.refs), 0.1, 0, 0)
    assert sizes[:4] == [FIRST_DOCUMENTS, 4 * FIRST_DOCUMENTS, 16 * FIRST_DOCUMENTS, MOST_DOCUMENTS]


def test_slow_work_gets_smaller_windows() -> None:
    pace = Pace()
    windows = pace.windows(refs([0] * 1000))
    first = next(windows)
    pace.finished(len(first.refs), 40.0, 0, 0)
    assert len(next(windows).refs) == FIRST_DOCUMENTS // 4


def test_small_files_fill_the_first_windows_before_anything_is_known() -> None:
    first = next(Pace().windows(refs([1000] * 5000)))
    assert len(first.refs) == FIRST_BYTES // 1000


def test_a_slow_model_still_gets_enough_texts_to_sort_by_length() -> None:
    pace = Pace()
    windows = pace.windows(refs([0] * 5000))
    first = next(windows)
    pace.finished(len(first.refs), 60.0, 2 * len(first.refs), 2 * len(first.refs))
    assert len(next(windows).refs) * 2 == LEAST_TEXTS


def test_the_last_windows_are_short_but_hold_enough_texts_to_sort() -> None:
    pace, left = Pace(), 40_000
    sizes: list[int] = []
    for window in pace.windows(refs([0] * left)):
        documents = len(window.refs)
        sizes.append(documents)
        assert not pace._is_informed or documents <= max(left / LEFT, LEAST_TEXTS)
        left -= documents
        pace.finished(documents, 0.1, documents, documents)
    assert max(sizes) > LEAST_TEXTS
    assert sizes[-3] == sizes[-2] == LEAST_TEXTS >= sizes[-1]


def test_no_window_is_expected_to_hold_more_chunks_than_fit() -> None:
    pace = Pace()
    windows = pace.windows(refs([0] * 50_000))
    first = next(windows)
    pace.finished(len(first.refs), 0.1, 1, 64 * len(first.refs))
    assert len(next(windows).refs) * 64 == MOST_AT_FIRST
    done, largest = 64 * len(first.refs), MOST_AT_FIRST
    for window in windows:
        chunks = 64 * len(window.refs)
        assert chunks <= max(MOST_AT_FIRST, done / PART)
        done, largest = done + chunks, max(chunks, largest)
        pace.finished(len(window.refs), 0.1, 1, chunks)
    assert largest == MOST_CHUNKS
