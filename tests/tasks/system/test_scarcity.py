"""Whatever ran out, nobody is told to throw away what is sound."""

import pytest

from tasks.database.errors import meaning
from tasks.system.scarcity import scarcity
from tasks.upsert.chroma.errors import refusal
from tasks.upsert.lancedb.errors import translate

SPELLINGS = (
    "Cannot allocate memory (os error 12)",
    "[Errno 12] Cannot allocate memory",
    "OutOfMemory",
    "out of memory",
    "std::bad_alloc",
    "memory allocation of 4096 bytes failed",
    "MemoryError",
    "failed to allocate 1 MB",
    "SystemError: error return without exception set",
    "SystemError: <built-in function f> returned NULL without setting an exception",
    "can't start new thread",
    "failed to spawn thread: Os { code: 11 }",
    "Resource temporarily unavailable (os error 11)",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_what_ran_out_is_told_and_what_is_stored_called_sound(text: str) -> None:
    for error in (translate(OSError(text), "t"), meaning("t.db", text), refusal("chroma", 500, text, None)):
        assert "what is stored is sound" in str(error)
        assert "backup" not in str(error)


@pytest.mark.parametrize("text", ["No space left on device (os error 28)", "os error 121", "the segment is corrupt"])
def test_other_words_say_nothing_of_it(text: str) -> None:
    assert scarcity(text) is None
