"""Runs of words as lines, in the order of reading: a line that stands beside others is a part of theirs."""

from collections.abc import Iterable, Sequence

from tasks.load.parse.pages.letters import Box, Run

WIDE = 1.0  # of the height of letters: a gap between two cells, and no longer between two words
_LOOKED_BACK = 12  # lines: what is drawn beside an earlier one is in its row; a further jump up is to a new column


class Line:
    """Runs on one height, from left to right."""

    __slots__ = ("_cells", "bottom", "runs", "size", "top")

    def __init__(self, run: Run) -> None:
        self.runs = [run]
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
        """The words of all of its runs."""
        return joined(self.runs)

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
    if len(runs) == 1:
        return runs[0].text
    words = [word for run in runs for word in run.words]
    whole = Run.__new__(Run)
    whole.words, whole.lefts = words, [left for run in runs for left in run.lefts]
    return whole.text


def flows(runs: Iterable[Run]) -> list[list[Line]]:
    """Lines from top to bottom, and a new list where the page goes on higher up or elsewhere."""
    made: list[list[Line]] = []
    for run in runs:
        flow = made[-1] if made else []
        if flow and run.top <= flow[-1].bottom + 0.3 * min(run.size, flow[-1].size):
            flow.append(Line(run))
        elif not any(line.takes(run) for line in flow[: -_LOOKED_BACK - 1 : -1]):
            made.append([Line(run)])
    return made
