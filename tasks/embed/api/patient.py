"""A provider's way to work in batches, asked again where it or the network is not well, and paid once all the same."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO, TypeVar

from tasks.embed.api.dispatch.backoff import ATTEMPTS, Clock, jitter
from tasks.embed.api.dispatch.outcomes import OutageError, RateLimitedError
from tasks.embed.api.guard import bounded
from tasks.embed.api.provider import BatchApi, BatchLine, BatchState, Provider, translated
from tasks.errors import ConfigError, ServiceError
from tasks.records import EmbeddingKey

SECONDS = 1800.0  # for a file of 200 MB, on a slow line
ANSWER_BYTES = 16 << 20
LINE_BYTES = 2048  # of a result, beside its numbers
NUMBER_BYTES = 32
LINES = 1024  # results that are kept together

Result = TypeVar("Result")


class PatientApi:
    """Raises the errors of the dispatch rules, and ServiceError once patience is over."""

    def __init__(self, provider: Provider, api: BatchApi, dimension: int, clock: Clock) -> None:
        """`dimension` is what its vectors must have."""
        self._provider = provider
        self._api = api
        self._dimension = dimension
        self.clock = clock
        self.most_texts, self.most_bytes = api.most_texts, api.most_bytes

    def line(self, key: EmbeddingKey, text: str) -> bytes:
        """What stands for one text in a file."""
        return self._api.line(key, text)

    def upload(self, file: BinaryIO) -> str:
        """The whole file, from its beginning."""

        def send() -> str:
            file.seek(0)
            return self._api.upload(file)

        return self._asked(send)

    def create(self, file: str, mark: str) -> str:
        """Once: after an answer that was lost, it is looked for before it is created again."""
        tried = False

        def create() -> str:
            nonlocal tried
            known = self._api.find(mark) if tried else None
            tried = True
            return known or self._api.create(file, mark)

        return self._asked(create)

    def find(self, mark: str) -> str | None:
        """The batch with this mark."""
        return self._asked(lambda: self._api.find(mark))

    def state(self, batch_id: str) -> BatchState:
        """How far it is."""
        return self._asked(lambda: self._api.state(batch_id))

    def slices(self, file: str, texts: int) -> Iterator[list[BatchLine]]:
        """A file of results for so many texts, one each; a read that breaks off begins again without what was taken."""
        taken: set[EmbeddingKey] = set()
        most_bytes = texts * (self._dimension * NUMBER_BYTES + LINE_BYTES) + ANSWER_BYTES
        for attempt in range(ATTEMPTS):
            try:
                with translated(self._provider, self.clock), bounded(SECONDS, most_bytes):
                    lines = (line for line in self._api.lines(file) if line.key not in taken)
                    while part := list({line.key: line for line in islice(lines, LINES)}.values()):
                        self._check_dimension(part)
                        yield part
                        taken.update(line.key for line in part)
                return
            except (OutageError, RateLimitedError) as error:
                self._wait(attempt, error)

    def _asked(self, ask: Callable[[], Result]) -> Result:
        for attempt in range(ATTEMPTS):
            try:
                with translated(self._provider, self.clock), bounded(SECONDS, ANSWER_BYTES):
                    return ask()
            except (OutageError, RateLimitedError) as error:
                self._wait(attempt, error)
        raise AssertionError("the last attempt raises")

    def _check_dimension(self, lines: list[BatchLine]) -> None:
        for line in lines:
            if line.vector is not None and len(line.vector) != self._dimension:
                raise ConfigError(
                    f"{self._provider.name} answers vectors of {len(line.vector)} dimensions, expected"
                    f" {self._dimension}; check embedder.dimensions and embedder.model"
                )

    def _wait(self, attempt: int, error: OutageError | RateLimitedError) -> None:
        if attempt + 1 == ATTEMPTS:
            raise ServiceError(
                f"{error}; tried {ATTEMPTS} times. What was sent is kept, and the next run asks for it"
            ) from None
        asked = error.retry_after_seconds if isinstance(error, OutageError) else error.delay_seconds
        self.clock.sleep((asked or 0.0) + jitter(attempt, self.clock))
