"""What a request is billed for: as the provider tells, where that can be."""

from typing import TypeGuard

from tasks.embed.api.dispatch.account import Usage
from tasks.embed.api.dispatch.outcomes import Answer, MalformedError, OutageError, RateLimitedError
from tasks.embed.api.dispatch.transport import InFlight

MOST_TIMES = 8  # tokens for one that is counted here, or the other way round: no two tokenizers are so far apart
TOKENS_PER_TEXT = 64  # that a server may add: signs for begin and end, a prompt of its own


def usage(in_flight: InFlight, outcome: Answer | BaseException) -> Usage:
    """Tokens as told, or else as counted here. An answer that was lost may have been billed."""
    counted = in_flight.reservation.tokens
    match outcome:
        case Answer():
            told, texts = outcome.billed_tokens, len(outcome.vectors)
            return Usage(in_flight.reservation, told if can_be(told, counted, texts) else counted, outcome.headers)
        case RateLimitedError():
            return Usage(in_flight.reservation, 0, outcome.headers)
        case MalformedError():
            return Usage(in_flight.reservation, counted)
        case OutageError() if outcome.may_be_billed:
            return Usage(in_flight.reservation, counted)
        case _:
            return Usage(in_flight.reservation, 0)


def can_be(told: int | None, counted: int, texts: int) -> TypeGuard[int]:
    """Whether it is to be believed: a number far from our own could talk a limit of money away, or stop a run."""
    return told is not None and counted <= told * MOST_TIMES and told <= counted * MOST_TIMES + texts * TOKENS_PER_TEXT
