"""What a terminal can take, and what it shows beyond plain text; a pipe or a file never gets that."""

import os
import re
import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from typing import TextIO

LEAST_WIDTH = 40
_BOLD, _PLAIN = "\x1b[1;33m", "\x1b[0m"
# Names and texts are written by strangers: some characters move the cursor, others turn the direction of reading.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_MARGIN = re.compile(r" *(?:! |\S{1,11}(?: \S{1,6})?  +)?")  # a row's label, or a note's mark


def printable(text: str) -> str:
    """The text with escapes in place of what a terminal would obey instead of showing it."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def line_of(text: str) -> str:
    """`printable`, in one line: names may hold line feeds too."""
    return " ".join(printable(text).split())


def shown(text: str, stream: TextIO | None, emphasis: Sequence[str] = ()) -> str:
    """The text as the stream takes it: printable in its encoding; on a terminal wrapped, `emphasis` in bold."""
    encoding = (stream and stream.encoding) or "utf-8"
    text = printable(text).encode(encoding, "backslashreplace").decode(encoding)
    if not (stream and stream.isatty()):
        return text
    text = wrapped(text, max(get_terminal_size().columns, LEAST_WIDTH))
    return emphasised(text, emphasis) if is_styled(stream) else text


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


def wrapped(text: str, width: int) -> str:
    """Long lines go on below their own beginning, at the right of a row's label."""
    return "\n".join(_wrapped(line, width) if len(line) > width else line for line in text.split("\n"))


def _wrapped(line: str, width: int) -> str:
    match = _MARGIN.match(line)
    margin = " " * (match.end() if match else 0)
    return textwrap.fill(line, width, subsequent_indent=margin or "  ", break_long_words=False, break_on_hyphens=False)
