"""How large a request a server takes, and how long it may need for one, as far as this run has seen."""

import sys
from collections.abc import Iterator, Sequence

from tasks.slices import bounded

BASE_SECONDS = 60.0
LONGEST_SECONDS = 600.0
TOKENS_PER_SECOND = 1000.0  # of a model on processors, before anything was seen
SLACK = 4.0  # over the slowest that was seen, and over the limit that was too short
LEAST_TOKENS = 256  # a request of fewer says nothing of the server's speed
FIRST_PATIENCE = 16  # requests that go well before a larger one is tried; twice as many after each refusal
LATE_PARTS = 8  # of what took too long: halves would not do, for it is sent once more only; with patience they return


class Sizes:
    """Learned from answers and refusals; one for each server, as long as its embedder is open."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._told_texts = sys.maxsize
        self._late_texts = self._late_tokens = sys.maxsize
        self._late_parts = 2
        self._refused_texts = self._refused_tokens = sys.maxsize
        self._taken_texts = self._taken_tokens = 0
        self._successes, self._patience = 0, FIRST_PATIENCE
        self._seconds_per_token = 1 / TOKENS_PER_SECOND
        self._is_slow = False

    @property
    def bound(self) -> tuple[int, int]:
        """Texts and tokens of the largest request."""
        texts = min(self._told_texts, self._refused_texts // 2, self._late_texts // self._late_parts)
        return max(1, texts), max(1, min(self._refused_tokens // 2, self._late_tokens // self._late_parts))

    def parts(self, tokens: Sequence[int]) -> Iterator[slice]:
        """Texts of so many tokens each, in requests within the bound."""
        return bounded(tokens, *self.bound)

    def seconds(self, tokens: int) -> float:
        """The longest that a request of so many may take; a server that was too slow is given more."""
        seconds = BASE_SECONDS + tokens * self._seconds_per_token
        return min(LONGEST_SECONDS, seconds * SLACK if self._is_slow else seconds)

    def taken(self, texts: int, tokens: int, seconds: float) -> None:
        """A request was answered, so it was not for its size that a smaller one was refused."""
        self._taken_texts, self._taken_tokens = max(self._taken_texts, texts), max(self._taken_tokens, tokens)
        if texts >= self._refused_texts:
            self._refused_texts = sys.maxsize
        if tokens >= self._refused_tokens:
            self._refused_tokens = sys.maxsize
        self._successes += 1
        if self._successes >= self._patience:
            self._successes, self._late_parts = 0, max(2, self._late_parts // 2)
            self._refused_texts = min(sys.maxsize, self._refused_texts * 2)
            self._refused_tokens = min(sys.maxsize, self._refused_tokens * 2)
        if tokens >= LEAST_TOKENS:
            self._seconds_per_token = max(self._seconds_per_token, SLACK * seconds / tokens)

    def refused(self, texts: int, tokens: int) -> None:
        """A request of more than one text was too large; nothing is learned where as large a one was taken."""
        self._successes, self._patience = 0, self._patience * 2
        if texts > self._taken_texts:
            self._refused_texts = min(self._refused_texts, texts)
        if tokens > self._taken_tokens:
            self._refused_tokens = min(self._refused_tokens, tokens)

    def told(self, texts: int) -> None:
        """The server says how many texts it takes."""
        self._told_texts = min(self._told_texts, texts)

    def timed_out(self, texts: int, tokens: int) -> None:
        """The server could not do so many within the time; later requests are a part of it."""
        self._is_slow, self._late_parts = True, LATE_PARTS
        self._successes, self._patience = 0, self._patience * 2
        self._late_texts, self._late_tokens = min(self._late_texts, texts), min(self._late_tokens, tokens)
