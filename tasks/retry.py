"""When a stage is tried again, the same for a tracked run and a direct one."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from tasks.errors import TransientError

RETRY_DELAYS_SECONDS = (2.0, 10.0, 30.0)
JITTER = 0.5  # a delay is lengthened by up to this share of itself

Result = TypeVar("Result")


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help."""
    return isinstance(error, TransientError)


def with_retries(call: Callable[[], Result], sleep: Callable[[float], None] = time.sleep) -> Result:
    """Call again after a TransientError, as often as there are delays; a service's own wish for a delay is honoured."""
    for delay in RETRY_DELAYS_SECONDS:
        try:
            return call()
        except TransientError as error:
            wished = error.retry_after_seconds or 0.0
            sleep(max(wished, delay) * (1 + JITTER * random.random()))  # noqa: S311 - jitter is no secret
    return call()
