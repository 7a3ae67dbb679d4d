"""A stage is tried again after a transient error, and only then."""

import pytest

from tasks.errors import ServiceError, TransientError
from tasks.retry import JITTER, RETRY_DELAYS_SECONDS, with_retries


class Flaky:
    """Fails with the given errors, one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_a_transient_error_is_tried_again_after_a_growing_delay() -> None:
    slept: list[float] = []
    flaky = Flaky(TransientError("a"), TransientError("b"))
    assert with_retries(flaky, slept.append) == "answer"
    assert flaky.calls == 3
    for seconds, least in zip(slept, RETRY_DELAYS_SECONDS[:2], strict=True):
        assert least <= seconds <= least * (1 + JITTER)


def test_the_wish_of_a_service_is_honoured() -> None:
    slept: list[float] = []
    with_retries(Flaky(TransientError("a", retry_after_seconds=45)), slept.append)
    assert 45 <= slept[0] <= 45 * (1 + JITTER)


def test_trying_ends() -> None:
    flaky = Flaky(*(TransientError(str(number)) for number in range(9)))
    with pytest.raises(TransientError, match="3"):
        with_retries(flaky, lambda _: None)
    assert flaky.calls == 1 + len(RETRY_DELAYS_SECONDS)


def test_an_error_that_stays_is_not_tried_again() -> None:
    flaky = Flaky(ServiceError("no"))
    with pytest.raises(ServiceError):
        with_retries(flaky, lambda _: None)
    assert flaky.calls == 1
