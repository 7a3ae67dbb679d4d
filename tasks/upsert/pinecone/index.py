"""One namespace of one index through the SDK: requests are sent once, and reads show what was acknowledged."""

import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

import httpx
import numpy as np
from pinecone import Index, IndexModel, Pinecone, RetryConfig, ServerlessSpec
from pinecone import Vector as Record
from pinecone.errors.exceptions import ConflictError, NotFoundError, PineconeValueError
from pinecone.models.response_info import ResponseInfo

from config.stores import PineconeStore as Settings
from tasks.errors import CollectionError, ConfigError, HeadraceError, NoCollectionError, ServiceError, TransientError
from tasks.slices import slices
from tasks.upsert.pinecone.errors import translated
from tasks.upsert.pinecone.records import MOST_RECORDS, batches

METRIC = "cosine"
PAGE = 100  # ids of a page, and of a fetch: they travel in the address, which may have some thousand characters
SENDERS = 4  # requests of one upsert on their way at once
READY_SECONDS = 300.0  # for a new index; most are ready within half a minute
VISIBLE_SECONDS = 60.0  # until an acknowledged write shows; most do within some seconds
_WRITES = ("/vectors/upsert", "/vectors/delete")
_BROKEN = {"InitializationFailed", "Terminating", "Disabled"}
_ONCE = RetryConfig(max_retries=0)


class _Sender(httpx.BaseTransport):
    """Sends each request once: what is tried again, and when, is the pipeline's to say.

    The SDK's index client has no setting for that, and keeps to itself what a delete answers.
    """

    def __init__(self, index: Index) -> None:
        """Takes the place of the transport that tries again."""
        client = index._http._client  # pyright: ignore[reportPrivateUsage]
        self._once: httpx.BaseTransport = vars(client._transport)["_transport"]  # pyright: ignore[reportPrivateUsage]
        client._transport = self  # pyright: ignore[reportPrivateUsage]
        self._turn = threading.Lock()
        self.newest = -1  # the service's number of the newest write; -1 where it gave none

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Note the number of a write."""
        answer = self._once.handle_request(request)
        if request.url.path.endswith(_WRITES):
            number = ResponseInfo(raw_headers=dict(answer.headers)).lsn_committed
            with self._turn:
                self.newest = max(self.newest, -1 if number is None else number)
        return answer

    def close(self) -> None:
        """End the connections."""
        self._once.close()


class Namespace:
    """Connects at the first use; one caller at a time."""

    def __init__(self, settings: Settings, collection: str) -> None:
        """ConfigError, where there is no key, comes at the first use."""
        self.name = f"the collection {collection} in Pinecone's index {settings.index}"
        self._space = collection
        self._settings = settings
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._client: Pinecone | None = None
        self._model: IndexModel | None = None
        self._index: Index | None = None
        self._sender: _Sender | None = None
        self._unseen: dict[str, Record | None] = {}  # the last record of each request, None where it was deleted
        self._is_closed = False
        self._turn = threading.RLock()

    @contextmanager
    def opened(self, dimension: int | None = None) -> Generator[Index]:
        """The index as it is; a missing one is made where a dimension is given, else NoCollectionError."""
        with self._turn:
            if self._is_closed:
                raise ServiceError(f"{self.name} was used after it had been closed")
            with translated(self.name, self._sdk.config.api_key):
                if self._index is None:
                    self._describe()
                if self._index is None and dimension is not None:
                    self._create(dimension)
                if self._index is None:
                    raise NoCollectionError(f"{self.name}: there is no collection yet; it is made by a sync")
                yield self._index

    @contextmanager
    def reading(self) -> Generator[Index]:
        """The index as it shows all that was written here; NoCollectionError where there is none."""
        with self.opened() as index:
            if self._unseen:
                self._wait(index)
            yield index

    def wait(self) -> None:
        """Returns when everybody sees what was written here; NoCollectionError where there is no index."""
        with self.reading():
            pass

    def write(self, records: Sequence[Record]) -> None:
        """Send requests of a thousand records or two megabytes: where one fails, others may have been written."""
        with self.opened() as index, ThreadPoolExecutor(SENDERS) as senders:
            for batch in senders.map(partial(self._send, index), batches(records)):
                self.wrote(batch[-1].id, batch[-1])

    def erase(self, ids: Sequence[str]) -> None:
        """Missing ids are no error, nor is a missing index."""
        with suppress(NoCollectionError), self.opened() as index:
            for part in slices(ids, MOST_RECORDS):
                index.delete(ids=list(part), namespace=self._space)
                self.wrote(part[-1])

    def erase_all(self, point: str) -> None:
        """Everything; returns when it shows, which this record tells."""
        with suppress(NoCollectionError), self.opened() as index:
            index.delete(delete_all=True, namespace=self._space)
            with self._turn:
                self._unseen = {point: None}

    def fetched(self, ids: Sequence[str]) -> list[Record]:
        """What is held of `ids`."""
        records: list[Record] = []
        with suppress(NoCollectionError), self.reading() as index:
            for part in slices(ids, PAGE):
                records += index.fetch(ids=list(part), namespace=self._space).vectors.values()
        return records

    def wrote(self, point: str, record: Record | None = None) -> None:
        """The last record of an acknowledged request; None where it was deleted."""
        with self._turn:
            self._unseen.pop(point, None)
            self._unseen[point] = record
            for oldest in list(self._unseen)[:-50]:
                del self._unseen[oldest]

    def remove(self) -> None:
        """Delete the index where nobody has a record in it."""
        with self.reading() as index:
            if not index.describe_index_stats().total_vector_count:
                self._sdk.delete_index(self._settings.index, timeout=-1)
                index.close()
                self._index = None

    @property
    def dimension(self) -> int:
        """0 where the index is one of other vectors."""
        with self.opened():
            return getattr(self._model, "dimension", None) or 0

    def make(self, dimension: int) -> None:
        """Make the index where it is missing, and wait until it is ready; CollectionError where it does not fit."""
        with self.opened(dimension):
            metric = getattr(self._model, "metric", None)
        if self.dimension != dimension:
            raise CollectionError(
                f"{self.name} holds vectors of {self.dimension} dimensions, the model makes {dimension};"
                " go back to the model it was built with, or name another `index` under `store`"
            )
        if metric != METRIC:
            raise CollectionError(f"{self.name} compares by {metric}, expected {METRIC}; name another `index`")

    def close(self) -> None:
        """The next process finds what this one wrote; further calls fail, and closing twice is no error."""
        with self._turn:
            if self._unseen and not self._is_closed:
                # What was acknowledged is safe: a service that does not show it yet is no failure here.
                with suppress(HeadraceError):
                    self.wait()
            self._is_closed = True
            if self._index is not None:
                self._index.close()
            if self._client is not None:
                self._client.close()

    @property
    def _sdk(self) -> Pinecone:
        if self._client is None:
            try:
                self._client = Pinecone(api_key=self._key, host=self._settings.host, retry_config=_ONCE)
            except PineconeValueError as error:  # its words never hold the key
                raise ConfigError(
                    f"no usable key for Pinecone ({error}); export PINECONE_API_KEY=…, or write"
                    " api_key: '${PINECONE_API_KEY}' under `store`"
                ) from None
        return self._client

    def _describe(self) -> IndexModel | None:
        try:
            model = self._sdk.describe_index(self._settings.index)
        except NotFoundError:
            return None
        if model.status.ready and model.host:
            self._model = model
            self._index = Index(host=model.host, api_key=self._sdk.config.api_key)
            self._sender = _Sender(self._index)
        return model

    def _create(self, dimension: int) -> None:
        where = ServerlessSpec(cloud=self._settings.cloud, region=self._settings.region)
        if self._describe() is None:
            with suppress(ConflictError):  # another process was quicker
                self._sdk.indexes.create(
                    name=self._settings.index, dimension=dimension, metric=METRIC, spec=where, timeout=-1
                )
        deadline = time.monotonic() + READY_SECONDS
        pause = 0.05
        while (model := self._describe()) is None or self._index is None:
            if model is not None and model.status.state in _BROKEN:
                raise ServiceError(f"{self.name}: the index is {model.status.state}; delete it, then run again")
            if time.monotonic() > deadline:
                raise TransientError(f"{self.name}: the index is not ready after {READY_SECONDS:.0f} s; run again")
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _send(self, index: Index, batch: Sequence[Record]) -> Sequence[Record]:
        answer = index.upsert(vectors=batch, namespace=self._space)
        if answer.has_errors or answer.upserted_count != len(batch):
            raise TransientError(f"{self.name} took {answer.upserted_count} of {len(batch)} records; run again")
        return batch

    def _wait(self, index: Index) -> None:
        deadline = time.monotonic() + VISIBLE_SECONDS
        pause = 0.02
        while not self._shows(index):
            if time.monotonic() > deadline:
                raise TransientError(
                    f"{self.name} does not show after {VISIBLE_SECONDS:.0f} s what it acknowledged; run again"
                )
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
        self._unseen.clear()

    def _shows(self, index: Index) -> bool:
        """By the service's numbers of writes, which a query tells; else by the records themselves."""
        assert self._sender is not None
        if self._sender.newest >= 0:
            shown = index.query(vector=anywhere(self.dimension), top_k=1, namespace=self._space).response_info
            if shown is not None and shown.lsn_reconciled is not None:
                return shown.is_reconciled(self._sender.newest)
        kept = index.fetch(ids=list(self._unseen), namespace=self._space).vectors
        return all(_is_same(kept.get(point), record) for point, record in self._unseen.items())


def anywhere(dimension: int) -> list[float]:
    """Some vector, where one must be given."""
    return [1.0] + [0.0] * (dimension - 1)


def _is_same(kept: Record | None, written: Record | None) -> bool:
    if kept is None or written is None:
        return kept is written
    return kept.metadata == written.metadata and np.allclose(kept.values, written.values, atol=1e-6)
