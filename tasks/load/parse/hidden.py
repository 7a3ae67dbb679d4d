"""What a plain-text format does not show, and how it is taken out: what is left stands where it stood."""

import re
from collections.abc import Iterable, Sequence

Span = tuple[int, int]

MOST_NAMED = 3
_VISIBLE = re.compile(r"[^\n]+")


def blanked(text: str, spans: Iterable[Span]) -> str:
    """The text with blanks in place of the spans, so that no line and no column moves."""
    parts, end = list[str](), 0
    for start, stop in sorted(spans):
        if stop > end:
            low = max(start, end)
            parts += [text[end:low], _VISIBLE.sub(lambda line: " " * len(line[0]), text[low:stop])]
            end = stop
    return "".join([*parts, text[end:]]) if parts else text


def absent(targets: Sequence[str]) -> tuple[str, ...]:
    """A remark on other files that a reader sees at these places, and the text lacks."""
    names = list(dict.fromkeys(target for target in targets if target))
    if not names:
        return ()
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return (f"other files are shown in it that are not in its text: {', '.join(names[:MOST_NAMED])}{more}",)
