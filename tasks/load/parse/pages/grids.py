"""Tables that are drawn with rules: what stands between two of them is one row, however its cells wrap."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, pairwise
from typing import NamedTuple

from pypdfium2 import PdfPage

from tasks.load.parse.pages.hyphens import ends_broken, is_unspaced, mended, words_of
from tasks.load.parse.pages.letters import Letters
from tasks.load.parse.pages.lines import WIDE, flows, reads_on
from tasks.load.parse.pages.rules import NEAR, Side, rules_of
from tasks.load.parse.pages.runs import NARROW, Box, Run
from tasks.load.parse.pages.tables import Row, around

_MOST_PAIRS = 250_000  # of rules that may meet: a tenth of a second
_FEWEST_RULES = 3  # around two rows, or two columns
_MOST_WORDS = 120  # in a cell: with more it is a box of prose
_FULL = 0.5  # of the rows: at least two cells have words
_BESIDE = 0.6  # of the rows
_AS_LONG, _GOES_ON, _SEVERAL = 0.6, 0.34, 3  # of lines: two cells, what begins small, more than may be chance

Cells = dict[tuple[int, int], list[str]]  # lines by row, counted from below, and column


class Grid(NamedTuple):
    """Where the rules of one table are: from left to right, and from bottom to top."""

    across: Sequence[float]
    up: Sequence[float]
    level: Sequence[Side]
    upright: Sequence[Side]

    def holds(self, run: Run) -> bool:
        """Whether the run begins in the table."""
        return self._is_in_width(run) and self.up[0] < (run.bottom + run.top) / 2 < self.up[-1]

    def _is_in_width(self, run: Run) -> bool:
        return self.across[0] < _begin(run) < self.across[-1]

    def parted(self, runs: Sequence[Run]) -> "Grid":
        """The same with the columns that gaps make between rules, or where there are none."""
        least = WIDE if self.upright else NARROW
        places = list(self.across)
        for left, right in pairwise(self.across):
            end = right
            for run in sorted((run for run in runs if left < _begin(run) < right), key=lambda one: one.left):
                if run.left - end > least * run.size:
                    places.append((end + run.left) / 2)
                end = run.right if end == right else max(end, run.right)
        return self._replace(across=sorted(places))

    def widened(self, runs: Iterable[Run], side: int) -> "Grid":
        """The same with a column to the left or right that has no rule around it, where most rows have a word there."""
        edge = self.across[0] if side < 0 else self.across[-1]
        beside = [
            run
            for run in runs
            if (_begin(run) - edge) * side > 0 and self.up[0] < (run.bottom + run.top) / 2 < self.up[-1]
        ]
        rows = {bisect_right(self.up, (run.bottom + run.top) / 2) for run in beside}
        if len(rows) < max(2, _BESIDE * (len(self.up) - 1)) or reads_on(_lines(beside)):
            return self
        if side < 0:
            return self._replace(across=[min(run.left for run in beside) - 1, *self.across])
        return self._replace(across=[*self.across, max(run.right for run in beside) + 1])

    def headed(self, runs: Iterable[Run]) -> "Grid":
        """The same with the row that stands on the first of the rules, where that has cells."""
        over = [run for run in runs if 0 <= run.bottom - self.up[-1] < run.size and self._is_in_width(run)]
        if self.upright or len({bisect_right(self.across, _begin(run)) for run in over}) < 2:
            return self
        return self._replace(up=[*self.up, max(run.top for run in over)])

    def cells(self, runs: Iterable[Run]) -> dict[tuple[int, int], list[Run]]:
        """The runs by row and column; a rule between two words is between two cells."""
        cells: dict[tuple[int, int], list[Run]] = {}
        for run in chain.from_iterable(map(self._parts, runs)):
            row = bisect_right(self.up, (run.bottom + run.top) / 2) - 1
            column = bisect_right(self.across, _begin(run)) - 1
            while row + 2 < len(self.up) and not self._is_apart(row, column):
                row += 1  # the cell belongs to the rows above as well
            cells.setdefault((row, column), []).append(run)
        return cells

    def _is_apart(self, row: int, column: int) -> bool:
        """Whether a rule is between a cell and the one above it."""
        middle = (self.across[column] + self.across[column + 1]) / 2
        rules = [side for side in self.level if side[1] < middle < side[2]]
        return not rules or any(abs(side[0] - self.up[row + 1]) <= NEAR for side in rules)

    def _parts(self, run: Run) -> Iterator[Run]:
        middle = (run.bottom + run.top) / 2
        crossed = [
            place
            for place in self.across
            if run.lefts[0] < place < run.lefts[-1] + 1
            and any(abs(one[0] - place) <= NEAR and one[1] < middle < one[2] for one in self.upright)
        ]
        if not crossed or run.is_sideways:
            yield run
            return
        ends = [*crossed, run.right]
        for column, words in groupby(
            zip(run.words, run.lefts, strict=True), key=lambda one: bisect_right(crossed, one[1] + 1)
        ):
            part: Run | None = None
            for word, left in words:
                if part is None:
                    part = Run(word, (left, run.bottom, ends[column], run.top))
                else:
                    part.words.append(word)
                    part.lefts.append(left)
            if part:
                yield part


def _begin(run: Run) -> float:
    return run.left + min(run.size, run.right - run.left) / 2


def in_grids(runs: Sequence[Run], page: PdfPage, letters: Letters) -> Iterator[list[Run] | list[Row]]:
    """The runs in the order in which they are drawn, and in the place of the first of a table its rows."""
    rest = list(runs)
    words: Mapping[str, int] = {}
    grids = _grids(page, letters)
    free = [run for run in rest if not any(grid.holds(run) for grid in grids)]
    for grid in grids:
        grid = grid.widened(free, -1).widened(free, 1)
        held = [at for at, run in enumerate(rest) if grid.holds(run)]
        grid = grid.parted([rest[at] for at in held]).headed(rest)
        held = [at for at, run in enumerate(rest) if grid.holds(run)]
        cells = grid.cells([rest[at] for at in held])
        if _is_table({cell: _lines(runs) for cell, runs in cells.items()}):
            words = words or words_of(run.text for run in runs)
            yield from ([rest[: held[0]]] if held[0] else [])
            yield _rows(cells, words)
            taken = {*held}
            rest = [run for at, run in enumerate(rest) if at > held[0] and at not in taken]
            left = {*map(id, rest)}
            free = [run for run in free if id(run) in left]
    if rest:
        yield rest


def _is_table(cells: Cells) -> bool:
    """Two rows and two columns at least, most of them full, no boxes of prose, and no rows without a rule between."""
    rows = [[lines for (row, _), lines in cells.items() if row == one] for one in {row for row, _ in cells}]
    full = sum(len(row) > 1 for row in rows)
    are_short = all(sum(len(line.split()) for line in lines) <= _MOST_WORDS for lines in cells.values())
    several = [count for row in rows if (count := _rows_in(row)) > 1]
    is_ruled = max(several, default=0) < _SEVERAL and len(several) <= len(rows) / 3
    return are_short and is_ruled and full > 1 and full >= _FULL * len(rows)


def _rows_in(row: Sequence[Sequence[str]]) -> int:
    """How many rows it is, as some tables have rules around their head and their body alone."""
    longest, long = sorted((len(lines) for lines in row), reverse=True)[:2] if len(row) > 1 else (1, 1)
    following = [line for lines in row if len(lines) >= long for line in lines[1:]]
    if long < _AS_LONG * longest or sum(line[:1].islower() for line in following) >= _GOES_ON * len(following):
        return 1
    return long


def _lines(runs: Iterable[Run]) -> list[str]:
    return [line.text for flow in flows(runs) for line in flow]


def _rows(cells: dict[tuple[int, int], list[Run]], words: Mapping[str, int]) -> list[Row]:
    """Columns in which no row has a word are margins; `words` are the page's."""
    used = sorted({column for _, column in cells})
    made: list[Row] = []
    for row in sorted({row for row, _ in cells}, reverse=True):
        texts = [_text(cells.get((row, column), []), words) for column in used]
        runs = [run for column in used for run in cells.get((row, column), [])]
        box = Box(runs[0].left, runs[0].bottom, runs[0].right, runs[0].top)
        for run in runs:
            box = around(box, Box(run.left, run.bottom, run.right, run.top))
        made.append(Row(f"| {' | '.join(texts)} |", box, max(run.size for run in runs)))
    return made


def _text(runs: Iterable[Run], words: Mapping[str, int]) -> str:
    """The lines of a cell as one; a word that is broken over two of them is whole."""
    text = ""
    for line in _lines(runs):
        if ends_broken(text):
            text, line = mended(text, line, words)
        text = f"{text}{'' if is_unspaced(text, line) else ' '}{line}".strip()
    return text


def _grids(page: PdfPage, letters: Letters) -> list[Grid]:
    """From the top to the bottom: rules that meet, or are below each other, where there are enough of them."""
    level, upright = rules_of(page, letters)
    if len(level) * len(upright) > _MOST_PAIRS:
        return []
    found: list[Grid] = []
    alone: list[Side] = []
    for levels, uprights in _meeting(level, upright):
        up, across = _places(side[0] for side in levels), _places(side[0] for side in uprights)
        if len(up) >= _FEWEST_RULES and len(across) > 1:
            found.append(Grid(across, up, levels, uprights))
        elif not uprights:
            alone += levels
    for (left, right), same in groupby(sorted(alone, key=_extent), key=_extent):
        sides = list(same)
        up = _places(side[0] for side in sides)
        if len(up) > _FEWEST_RULES:
            found.append(Grid([left * NEAR - NEAR, right * NEAR + NEAR], up, sides, []))
    return sorted(found, key=lambda grid: -grid.up[-1])


def _meeting(level: Sequence[Side], upright: Sequence[Side]) -> Iterator[tuple[list[Side], list[Side]]]:
    """Level and upright rules that meet, also by way of others."""
    waiting = [list(level), list(upright)]
    while waiting[0]:
        group = [(0, waiting[0].pop())]
        for kind, side in group:
            pool = waiting[1 - kind]
            met = [one for one in pool if _meet(side, one)]
            waiting[1 - kind] = [one for one in pool if one not in met] if met else pool
            group += ((1 - kind, one) for one in met)
        yield [side for kind, side in group if kind == 0], [side for kind, side in group if kind == 1]


def _extent(side: Side) -> tuple[int, int]:
    """Equal for rules below each other."""
    return round(side[1] / NEAR), round(side[2] / NEAR)


def _meet(side: Side, other: Side) -> bool:
    """Whether a level and an upright one cross or touch."""
    return other[1] - NEAR <= side[0] <= other[2] + NEAR and side[1] - NEAR <= other[0] <= side[2] + NEAR


def _places(given: Iterable[float]) -> list[float]:
    """Where rules are, each once: a thick one has two sides."""
    made: list[float] = []
    for one in sorted(given):
        if not made or one - made[-1] > NEAR:
            made.append(one)
    return made
