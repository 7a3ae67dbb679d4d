"""Runs of words as lines, in the order of reading: a line that stands beside others is a part of theirs."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tasks.load.parse.pages.runs import Box, Run, with_raised
from tasks.load.parse.pages.scripts import is_right_to_left

GAP = "  "
WIDE = 1.0  # of the height of letters: a gap between two cells, and no longer between two words
_FEWEST = 3  # rows of a table that is drawn column by column
_SHORT = 24  # characters of a cell
_GOES_ON, _SOME_WORDS, _MANY_WORDS = 0.4, 2.5, 4.0  # of lines that begin small; words of a line
_LEVEL, _OFF = 0.8, 0.2  # of its lines, and of their height
_LOOKED_BACK = 12  # lines: what is drawn beside an earlier one is in its row; a further jump up is to a new column


class Line:
    """Runs on one height, from left to right."""

    __slots__ = ("_cells", "bottom", "runs", "size", "top")

    def __init__(self, run: Run, runs: Sequence[Run] = ()) -> None:
        self.runs = list(runs) or [run]
        self._cells: list[list[Run]] = []
        self.bottom, self.top, self.size = run.bottom, run.top, run.size

    @property
    def left(self) -> float:
        """The left side of its first run."""
        return self.runs[0].left

    @property
    def right(self) -> float:
        """The right side of its last run."""
        return self.runs[-1].right

    @property
    def box(self) -> Box:
        """The box that holds all of its runs."""
        return Box(self.left, min(run.bottom for run in self.runs), self.right, max(run.top for run in self.runs))

    @property
    def text(self) -> str:
        """The words of all of its runs, with a gap where they are far apart."""
        texts = [joined(cell) for cell in self.cells()]
        return joined(self.runs) if any(map(is_right_to_left, texts)) else GAP.join(texts)

    def takes(self, run: Run) -> bool:
        """Add the run if it stands on this height, and on no other run but itself."""
        if self.bottom > run.top or run.bottom > self.top:
            return False
        if min(self.top, run.top) - max(self.bottom, run.bottom) < 0.3 * min(self.size, run.size):
            return False
        if run.left < self.right - 0.3 * run.size:
            for other in self.runs:
                if min(run.right, other.right) - max(run.left, other.left) > 0.3 * run.size:
                    return other.words == run.words and abs(other.left - run.left) < 0.3 * run.size  # drawn twice: bold
        self.runs.append(run)
        self.runs.sort(key=lambda one: one.left)
        if run.size > self.size:
            self.bottom, self.top, self.size = run.bottom, run.top, run.size
        return True

    def cells(self) -> list[list[Run]]:
        """Runs with wide gaps between them, once the line is whole."""
        if self._cells:
            return self._cells
        self._cells = cells = [[self.runs[0]]]
        for run in self.runs[1:]:
            if run.left - cells[-1][-1].right >= WIDE * max(self.size, 1.0):
                cells.append([run])
            else:
                cells[-1].append(run)
        return cells


def joined(runs: Sequence[Run]) -> str:
    """Their words as one text; from the right where they run so."""
    if len(runs) < 2:
        return runs[0].text if runs else ""
    words, lefts = list(runs[0].words), list(runs[0].lefts)
    for before, run in pairwise(runs):
        rest = 1 if with_raised(before, run, words) else 0
        words += run.words[rest:]
        lefts += run.lefts[rest:]
    whole = Run.__new__(Run)
    whole.words, whole.lefts = words, lefts
    return whole.text


def flows(runs: Iterable[Run]) -> list[list[Line]]:
    """Lines from top to bottom, and a new list where the page goes on higher up or elsewhere."""
    made: list[list[Line]] = []
    for number, run in enumerate(runs):
        run.order = number
        flow = made[-1] if made else []
        if flow and run.top <= flow[-1].bottom + 0.3 * min(run.size, flow[-1].size):
            flow.append(Line(run))
        elif not any(line.takes(run) for line in flow[: -_LOOKED_BACK - 1 : -1]):
            made.append([Line(run)])
    return _with_columns_as_rows(made)


def _with_columns_as_rows(made: Iterable[list[Line]]) -> list[list[Line]]:
    """The flows, where a table was drawn column by column with its rows."""
    whole: list[list[Line]] = []
    for flow in made:
        if whole and _is_column_beside(flow, whole[-1]):
            for run in (run for line in flow for run in line.runs):
                if not any(line.takes(run) for line in _level_with(run, whole[-1])):
                    whole[-1].append(Line(run))
            whole[-1].sort(key=lambda line: -line.bottom)
        else:
            whole.append(flow)
    return whole


def _is_column_beside(flow: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether nearly each line stands on the height of one of the others and right of it, and one side is of words."""
    is_table = any(len(line.runs) > 1 for line in lines)
    if len(flow) < (1 if is_table else _FEWEST) or len(lines) < _FEWEST or flow[0].left < lines[0].left:
        return False
    if min(_usual_length(flow), _usual_length(lines)) > _SHORT or all(map(reads_on, map(_texts, (flow, lines)))):
        return False
    level = sum(any(one.right <= line.left for one in _level_with(line.runs[0], lines)) for line in flow)
    return level >= _LEVEL * len(flow)


def _texts(lines: Sequence[Line]) -> list[str]:
    return [joined(line.runs) for line in lines]


def reads_on(texts: Sequence[str]) -> bool:
    """Whether sentences go on from line to line, as in a narrow column of prose, and not from row to row."""
    if len(texts) < _FEWEST or any(text.replace(".", "").isdigit() for text in texts):
        return False
    words = sum(len(text.split()) for text in texts) / len(texts)
    goes_on = sum(text[:1].islower() for text in texts[1:]) >= _GOES_ON * (len(texts) - 1)
    return words >= (_SOME_WORDS if goes_on else _MANY_WORDS)


def _usual_length(lines: Sequence[Line]) -> float:
    return sum(len(word) + 1 for line in lines for word in line.runs[-1].words) / len(lines)


def _level_with(run: Run, lines: Sequence[Line]) -> Sequence[Line]:
    """Those of the lines, which are in order, that stand on the run's own height."""
    start = bisect_left(lines, -run.bottom - _OFF * run.size, key=lambda line: -line.bottom)
    end = bisect_right(lines, -run.bottom + _OFF * run.size, key=lambda line: -line.bottom)
    return lines[start:end]
