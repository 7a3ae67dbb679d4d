"""What of an endless row of syncs is worth telling a person."""

from tasks.sync.report import Outcome, Report
from tasks.sync.watch import Trouble


class News:
    """News is that records were written or removed, that something else is amiss than before, or nothing any more."""

    def __init__(self) -> None:
        self._last = ""  # what is amiss, as it was told last

    def is_in(self, told: Report | Trouble, *, is_whole: bool) -> bool:
        """Ask once for each round; `is_whole` unless it looked at some documents alone."""
        amiss = _amiss(told) or ("" if is_whole else self._last)
        is_new, self._last = amiss != self._last, amiss
        return is_new or (isinstance(told, Report) and bool(told.chunks.written or told.chunks.removed))


def _amiss(told: Report | Trouble) -> str:
    """What a person has to see to, without what differs from round to round; "" where there is nothing."""
    if isinstance(told, Trouble):
        return str(told.error)
    aside = sorted((one.id, one.reason) for one in told.names.quarantined)
    return "" if told.outcome is Outcome.DONE else repr((told.outcome, told.plan_hash, aside, told.aside, told.notes))
