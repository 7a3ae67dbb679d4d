"""Finds the text for which a provider refuses a whole request."""

from collections.abc import Sequence


class Bisection:
    """Halves the suspects with each request: 11 requests for 2,048 texts, and one more that makes sure.

    Only one half is sent at a time. If it is taken, the culprit is in the other; if not, the other is left for later,
    so that every good text is embedded once.
    """

    def __init__(self, refused: Sequence[int]) -> None:
        """`refused` are the rows of a request that was refused."""
        self._suspects = tuple(refused)
        self._refused = len(refused)  # the fewest that were refused together
        self.rest: tuple[int, ...] = ()  # not known to be bad; to be sent when the bisection is over

    @property
    def next_rows(self) -> tuple[int, ...]:
        """What to send now; empty when the bisection is over."""
        return self._suspects[: max(1, len(self._suspects) // 2)]

    @property
    def left(self) -> tuple[int, ...]:
        """All that is not embedded."""
        return self._suspects + self.rest

    def taken(self) -> int:
        """`next_rows` were embedded; how many were refused only for being so many, where none of them is to blame."""
        self._suspects = self._suspects[len(self.next_rows) :]
        return 0 if self._suspects else self._refused

    def refused(self) -> int | None:
        """`next_rows` were refused; the row to blame once it stands alone."""
        rows = self.next_rows
        self._refused = len(rows)
        self.rest += self._suspects[len(rows) :]
        self._suspects = rows
        if len(rows) != 1:
            return None
        self._suspects = ()
        return rows[0]
