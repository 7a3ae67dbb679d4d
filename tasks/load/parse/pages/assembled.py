"""The lines of all pages as one text, with the places of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.load.parse.pages.hyphens import ends_broken, is_unspaced, mended, plain, words_of
from tasks.load.parse.pages.paragraphs import Entry
from tasks.load.parse.pages.runs import Box
from tasks.places import Place

_ENDS = (".", "!", "?", ":", ";", "\u3002", "\uff01", "\uff1f", "|")
_OTHER_SIZE = 0.12


@dataclass(slots=True)
class Assembled:
    """The text so far; `spans` has for each line its page, its box as the page counts, and its characters."""

    text: str = ""
    places: list[Place] = field(default_factory=list)
    spans: list[tuple[int, Box, int, int]] = field(default_factory=list)


def assembled(pages: Sequence[tuple[int, Sequence[Entry]]]) -> Assembled:
    """Paragraphs apart by blank lines; words and sentences that go on in the next line, column or page are whole."""
    entries = [(number, entry) for number, page in pages for entry in page]
    is_broken = any(ends_broken(entry.text) for _, entry in entries)
    words = words_of(entry.text for _, entry in entries) if is_broken else {}
    made = Assembled()
    parts: list[str] = []
    at, page = 0, 0
    for index, (number, entry) in enumerate(entries):
        joint = _joint(entries[index - 1][1], entry) if index else ""
        following = entries[index + 1][1] if index + 1 < len(entries) else None
        text = entry.text
        if following and ends_broken(text) and _joint(entry, following) == "\n" and not following.is_row:
            text, following.text = mended(text, following.text, words)
        text = plain(text)
        if not text:
            continue
        at += len(joint)
        if number != page:
            made.places.append(Place(at, "page", number))
            page = number
        made.places.append(Place(at, "rectangle", f"{number} {' '.join(f'{side:.1f}' for side in entry.box)}"))
        made.spans.append((number, entry.box, at, at + len(text)))
        parts += (joint, text)
        at += len(text)
    made.text = "".join(parts)
    return made


def _joint(above: Entry, entry: Entry) -> str:
    """What stands between two lines."""
    if entry.before == "paragraph" or (entry.before == "column" and not _goes_on(above, entry)):
        return "\n\n"
    if entry.is_row or above.is_row:
        return "\n"
    return "" if is_unspaced(above.text, entry.text) and not above.text.endswith(_ENDS) else "\n"


def _goes_on(above: Entry, entry: Entry) -> bool:
    """Whether a sentence goes on in the next column or on the next page."""
    if above.is_row or entry.is_row or above.text.endswith(_ENDS):
        return False
    if abs(above.size - entry.size) > _OTHER_SIZE * max(above.size, entry.size):
        return False
    return entry.text[:1].islower() or is_unspaced(above.text, entry.text)
