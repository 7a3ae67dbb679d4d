"""What a terminal shows beyond plain text, and a pipe or a file never gets."""

import os
import re
from collections.abc import Sequence
from typing import TextIO

_BOLD, _PLAIN = "\x1b[1;33m", "\x1b[0m"


def is_styled(stream: TextIO | None) -> bool:
    """Whether somebody looks at it who wants bold and colour: see no-color.org."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return bool(wanted and stream and stream.isatty())


def emphasised(text: str, words: Sequence[str]) -> str:
    """The text with every word in bold that begins with one of these; it is printable already."""
    if not words:
        return text
    begun = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(rf"\b(?:{begun})\w*", lambda word: f"{_BOLD}{word[0]}{_PLAIN}", text, flags=re.IGNORECASE)
