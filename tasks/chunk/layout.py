"""How a section is built: what is cut in a way of its own, and what each part of it must be told."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass

from tasks.chunk.blocks import Block
from tasks.chunk.definitions import Definitions
from tasks.records import Document, Format

SHARE = 3  # one part in so many of a chunk is the most that is embedded before its own text

_PUNCTUATION = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Lead:
    """What a chunk that begins at a character from `start` to before `end` is embedded below; `tokens` of both."""

    start: int
    end: int
    context: str = ""
    repeated: str = ""
    unless: str = ""  # such words stand in the chunk
    tokens: int = 0

    @property
    def text(self) -> str:
        """Context, then what is repeated."""
        return self.context + self.repeated


class Leads:
    """The leads of one section: the innermost counts."""

    def __init__(self, leads: Iterable[Lead]) -> None:
        """`leads` in order of where they begin; of two that overlap, one is inside the other."""
        self.all = list(leads)
        self._turns: list[int] = [0]
        self._after: list[Lead | None] = [None]
        open_: list[Lead] = []
        for lead in self.all:
            self._close(open_, lead.start)
            self._turn(lead.start, lead)
            open_.append(lead)
        self._close(open_, max((lead.end for lead in self.all), default=0))

    def __bool__(self) -> bool:
        return any(lead.tokens for lead in self.all)

    def at(self, position: int) -> Lead | None:
        """What the model is told before what begins there; what has no tokens has been left out."""
        lead = self._after[bisect_right(self._turns, position) - 1]
        return lead if lead and lead.tokens else None

    def tokens(self, positions: Sequence[int]) -> list[int]:
        """What each of the positions, which are in order, would be told."""
        turns, after, turn = [*self._turns, positions[-1] + 1], self._after, 0
        tokens: list[int] = []
        for position in positions:
            while turns[turn + 1] <= position:
                turn += 1
            lead = after[turn]
            tokens.append(lead.tokens if lead else 0)
        return tokens

    def _close(self, open_: list[Lead], until: int) -> None:
        while open_ and open_[-1].end <= until:
            end = open_.pop().end
            self._turn(end, open_[-1] if open_ else None)

    def _turn(self, position: int, lead: Lead | None) -> None:
        self._turns.append(max(position, self._turns[-1]))
        self._after.append(lead)


class Layout:
    """The blocks and definitions of one section of a text in a `form`, and what chunks of it are told."""

    def __init__(self, form: Format, blocks: Sequence[Block], definitions: Definitions, leads: Leads) -> None:
        """`blocks` are in order of where they begin."""
        self.form, self.definitions, self.leads = form, definitions, leads
        self.listings = [block for block in blocks if block.shape == "listing"]
        self._tables = [block for block in blocks if block.shape == "table"]
        self._listing_starts = [block.start for block in self.listings]
        self._table_starts = [block.start for block in self._tables]

    def without_leads(self) -> "Layout":
        """The same, told nothing."""
        bare = copy(self)
        bare.leads = Leads(())
        return bare

    def is_listing(self, position: int) -> bool:
        """Whether lines count there, with their indentation."""
        at = bisect_right(self._listing_starts, position) - 1
        return self.form == "code" or (at >= 0 and position < self.listings[at].end)

    def tables(self, start: int, end: int) -> Sequence[Block]:
        """Those of which a part stands there: blank lines may be inside."""
        first = bisect_left(self._table_starts, start)
        first -= first > 0 and self._tables[first - 1].end > start
        return self._tables[first : bisect_left(self._table_starts, end)]

    def begin(self, text: str, start: int, words: int) -> int:
        """Where a chunk begins whose first word stands at `words`: with the indentation of a listing's first line."""
        return max(start, text.rfind("\n", start, words) + 1) if start < words and self.is_listing(words) else words


def block_leads(blocks: Iterable[Block]) -> Iterator[Lead]:
    """The header of a table, the first line of a listing, the sentence above a list."""
    return (Lead(block.body, block.end, repeated=block.repeated) for block in blocks if block.repeated)


def scope_leads(definitions: Definitions, room: int) -> Iterator[Lead]:
    """The signatures around each part of the definitions that may have to be cut."""
    most = room // 2  # characters: about a quarter of the tokens
    for number, one in enumerate(definitions.all):
        if one.end - one.start > room // 2 and (context := definitions.signatures(number, most)):
            yield Lead(one.start + 1, one.end, context)


def title_lead(document: Document, start: int, body: str, room: int) -> Lead | None:
    """The title as the first line of a text that does not begin with it, in words for its share of the room."""
    title = " ".join(str(document.metadata.get("title", "")).split())
    if not title or stands_in(title, body[: room // 2]):
        return None
    line = title if len(title) <= room else title[: room + 1].rpartition(" ")[0]
    mark = "# " if document.format == "markdown" else ""
    return Lead(start, document.text.index(body, start) + 1, f"{mark}{line}\n\n", unless=title) if line else None


def stands_in(title: str, text: str) -> bool:
    """Whether the text has the title's words in order, whatever the case, the white space and the punctuation."""
    if title in text:
        return True
    wanted, words = (" ".join(_PUNCTUATION.sub(" ", each.casefold()).split()) for each in (title, text))
    return f" {wanted} " in f" {words} " if wanted.isascii() else wanted in words
