"""Questions to a paid service that are no texts to embed: one JSON body each, with an answer in JSON.

They are paid, limited and tried again as requests for vectors are. The dispatcher knows texts and their vectors alone:
to it a body is a text with a vector of no meaning, and what was really answered lies here until it is handed over.
"""

import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from tasks.embed.api.dispatch.account import Account, Terms
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.dispatcher import Dispatcher
from tasks.embed.api.dispatch.outcomes import Answer, OutageError, RefusedError, TooLargeError
from tasks.embed.api.dispatch.requests import OutcomePolicy, Request, Settled
from tasks.embed.api.dispatch.transport import Side, ThreadTransport
from tasks.embed.api.guard import bounded
from tasks.embed.api.provider import check_key, lower_case, unreachable, words_of
from tasks.embed.api.sdk import Connections, Refusal, Sender, meaning, reading
from tasks.errors import BudgetError, HeadraceError, ServiceError

ANSWER_BYTES = 4 << 20
OUTAGES = 4  # of one question: somebody waits for it
AT_ONCE = 4
_NO_MEANING = np.ones(1, np.float32)

Result = TypeVar("Result")
Body = Mapping[str, Any]
Read = Callable[[Body, Any], tuple[Result, int | None]]  # of body and answer; the second are the tokens to be billed


class Posts(Generic[Result]):
    """One endpoint of one service; called from one thread at a time."""

    def __init__(self, sender: Sender, url: str, read: Read[Result], budget: str, terms: Terms) -> None:
        """`budget` is the database in which money is counted; what `read` cannot make sense of is asked once more."""
        if sender.key:
            check_key(sender.key, sender.name, sender.variable)
        self._sender, self._url, self._read = sender, url, read
        self._results: dict[str, Result] = {}
        self._connections, self._clock = Connections(), Clock()
        self._account = Account(budget, (sender.section, url, sender.key), terms, self._clock)
        self._transport = ThreadTransport(self._call, AT_ONCE, self._clock)
        policy = _OneByOne(sender.name, 1, self._clock)
        self._dispatcher = Dispatcher(self._account, self._transport, policy, self._clock, AT_ONCE)
        weakref.finalize(self, _close, self._connections, self._account, self._transport)

    @property
    def spent_usd(self) -> float:
        """What this object spent, requests that were lost included."""
        return self._account.spent_usd

    def answers(self, bodies: Sequence[Body], tokens: Sequence[int]) -> list[Result | HeadraceError]:
        """The answer to each, or why there is none: the service refuses it, or the money was spent before.

        `tokens` are what each is expected to be billed for.
        """
        texts = [json.dumps(body) for body in bodies]
        why: dict[int, HeadraceError] = {}
        try:
            for batch in self._dispatcher.run([[row] for row in range(len(texts))], texts, tokens):
                why |= {row: ServiceError(said) for row, said in batch.rejected.items()}
        except BudgetError as error:
            why = dict.fromkeys(range(len(texts)), error) | why
        results, self._results = self._results, {}
        return [results[text] if text in results else why[row] for row, text in enumerate(texts)]

    def _call(self, texts: list[str], _side: Side, seconds: float) -> Answer:
        import httpx

        (text,), sender = texts, self._sender
        headers = {"content-type": "application/json"}
        if sender.key:
            headers["authorization"] = f"Bearer {sender.key}"
        try:
            with bounded(seconds, ANSWER_BYTES):
                answer = self._connections.client.post(self._url, content=text.encode(), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(sender.name, error, sender.section) from None
        if not answer.is_success:
            words = words_of(_json(answer.text)) or answer.reason_phrase
            refusal = Refusal(answer.status_code, words, answer.headers, is_about_money="quota" in words)
            raise meaning(refusal, sender, self._clock) from None
        with reading():
            self._results[text], billed = self._read(json.loads(text), answer.json())
        return Answer([_NO_MEANING], billed, lower_case(answer.headers))


class _OneByOne(OutcomePolicy):
    """A refused question is nothing that a smaller request would help."""

    def failed(self, request: Request, error: HeadraceError) -> Settled:
        if isinstance(error, RefusedError | TooLargeError):
            return Settled(rejected={request.rows[0]: str(error)})
        if isinstance(error, OutageError) and request.attempts + 1 >= OUTAGES:
            raise ServiceError(f"{error}; tried {OUTAGES} times") from None
        return super().failed(request, error)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _close(connections: Connections, account: Account, transport: ThreadTransport) -> None:
    transport.close()
    account.close()
    connections.close()
