"""What a provider's answer means for a request. The dispatcher knows these classes, and no provider's codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.errors import HeadraceError, TransientError
from tasks.records import Vector


@dataclass(frozen=True, slots=True)
class Answer:
    """`vectors` in the order of the texts, as they came; `billed_tokens` None where the provider does not say.

    `model` is whose answer it says it is, empty where it says nothing.
    """

    vectors: Sequence[Vector]
    billed_tokens: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    model: str = ""


class RateLimitedError(HeadraceError):
    """Too much in too short a time: the same request goes through later."""

    def __init__(self, message: str, delay_seconds: float | None, headers: Mapping[str, str]) -> None:
        """`delay_seconds` is the server's wish; `headers` in lower case."""
        super().__init__(message)
        self.delay_seconds = delay_seconds
        self.headers = headers


class OutageError(TransientError):
    """No answer, or one that says that the server is not well.

    `may_be_billed`: the request did arrive. `is_unreachable`: there was not even a connection. `timed_out`: it was
    given up here.
    """

    def __init__(
        self,
        message: str,
        delay_seconds: float | None = None,
        *,
        may_be_billed: bool = False,
        is_unreachable: bool = False,
        timed_out: bool = False,
    ) -> None:
        """`delay_seconds` is the server's wish."""
        super().__init__(message, delay_seconds)
        self.may_be_billed = may_be_billed
        self.is_unreachable = is_unreachable
        self.timed_out = timed_out


class MalformedError(HeadraceError):
    """An answer that does not fit the question; it was billed all the same."""


class TooLargeError(HeadraceError):
    """The provider takes the same texts in smaller requests only."""

    def __init__(self, message: str, numbers: Sequence[int] = (), *, is_one_text: bool = False) -> None:
        """`numbers` in its words, one of them how many texts it takes; `is_one_text`: one is too long by itself."""
        super().__init__(message)
        self.is_one_text = is_one_text
        self._numbers = numbers

    def most_texts(self, sent: int) -> int:
        """How many it says that it takes, where so many were sent; 0 where it does not say."""
        return max((number for number in self._numbers if 0 < number < sent), default=0)


class RefusedError(HeadraceError):
    """The provider does not take this content; some text in it, or the whole kind of request, is to blame."""
