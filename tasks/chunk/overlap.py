"""What a chunk repeats of the text before it."""

import re

from tasks.chunk.base import Tokenizer

_WORD = re.compile(r"\S+\s*")
CHARACTERS_PER_TOKEN = 8  # more than any ordinary text has, so the words looked at are enough


def widened(tokenizer: Tokenizer, text: str, bounds: tuple[int, int], tokens: int) -> int:
    """`bounds` are the starts of the section and of the chunk; the result is up to `tokens` tokens earlier."""
    lowest, start = bounds
    words = list(_WORD.finditer(text, max(lowest, start - tokens * CHARACTERS_PER_TOKEN), start))
    if words and words[0].start() > lowest and not text[words[0].start() - 1].isspace():
        del words[0]  # the window begins inside a word
    if not words:
        return start
    added, *sizes = tokenizer.count(["", *(word.group() for word in words)])
    for word, size in zip(reversed(words), reversed(sizes), strict=True):
        tokens -= size - added
        if tokens < 0:
            break
        start = word.start()
    return start
