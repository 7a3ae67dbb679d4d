"""What a chunk repeats of the text before it."""

import re
from collections.abc import Sequence

from tasks.records import Tokenizer

_WORD = re.compile(r"\S+\s*")
CHARACTERS_PER_TOKEN = 8  # more than any ordinary text has, so the words looked at are enough


def widened(tokenizer: Tokenizer, bounds: Sequence[tuple[str, int, int]], tokens: int) -> list[int]:
    """`bounds` are text, start of the section and start of the chunk; each result is up to `tokens` tokens earlier."""
    words = [_words_before(text, lowest, start, tokens) for text, lowest, start in bounds]
    added, *counts = tokenizer.count(["", *(text[low:high] for (text, _, _), found in zip(bounds, words, strict=True)
                                            for low, high in found)])  # fmt: skip
    sizes = iter(counts)
    starts: list[int] = []
    for (_, _, start), found in zip(bounds, words, strict=True):
        left = tokens
        for (low, _), size in reversed([(word, next(sizes)) for word in found]):
            left -= size - added
            if left < 0:
                break
            start = low
        starts.append(start)
    return starts


def _words_before(text: str, lowest: int, start: int, tokens: int) -> list[tuple[int, int]]:
    words = [found.span() for found in _WORD.finditer(text, max(lowest, start - tokens * CHARACTERS_PER_TOKEN), start)]
    begins_inside = bool(words) and words[0][0] > lowest and not text[words[0][0] - 1].isspace()
    return words[1:] if begins_inside else words
