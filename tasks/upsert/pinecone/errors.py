"""What the service and its SDK say, and what it means to the user."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import httpx
from pinecone.errors import exceptions as sdk

from tasks.errors import ConfigError, HeadraceError, NoCollectionError, ServiceError, TransientError
from tasks.retry import retry_after

# The first class that fits, so subclasses stand before their bases.
_BY_CLASS: tuple[tuple[type[Exception], type[HeadraceError], str], ...] = (
    (sdk.UnauthorizedError, ConfigError, "check `api_key` under `store`, or PINECONE_API_KEY"),
    (sdk.ForbiddenError, ConfigError, "this key may not do that, or a quota of the project is used up"),
    (sdk.PaymentRequiredError, ServiceError, "settle the billing of the organization, then run again"),
    (sdk.NotFoundError, NoCollectionError, "there is no collection yet, or it was deleted; run sync"),
    (sdk.ConflictError, TransientError, "somebody else is changing the index: run again"),
    (sdk.FailedPreconditionError, ServiceError, "the index does not take that in its state"),
    (sdk.PayloadTooLargeError, ServiceError, "that is more than Pinecone takes; smaller chunks may help"),
    (sdk.RateLimitError, TransientError, "Pinecone asks for fewer requests: run again later"),
    (sdk.ServiceError, TransientError, "Pinecone is not well: run again later"),
    (sdk.ApiError, ServiceError, "Pinecone does not take that request"),
    (sdk.IndexInitFailedError, ServiceError, "delete the index, and check `cloud` and `region` under `store`"),
    (sdk.IndexTerminatedError, ServiceError, "somebody deletes or disabled the index; once that is done, run again"),
    (sdk.PineconeTimeoutError, TransientError, "no answer in time: run again"),
    (sdk.PineconeConnectionError, TransientError, "is the network up, and `host` under `store` right?"),
    (sdk.ResponseParsingError, TransientError, "the answer cannot be read: run again, or update the package pinecone"),
    (sdk.PineconeError, ServiceError, "the SDK refused that"),
    (httpx.HTTPError, TransientError, "the answer cannot be read: run again"),
)
_LATER = {408, 409, 425}  # statuses without a class of their own that pass


@contextmanager
def translated(name: str, key: str) -> Generator[None]:
    """The SDK's errors that leave the block are ours, with the index's name and never with the key."""
    try:
        yield
    except (sdk.PineconeError, httpx.HTTPError) as error:
        raise translate(error, name, key) from (None if key in repr(error) else error)


def translate(error: Exception, name: str, key: str) -> HeadraceError:
    """Our error, by the class of the SDK's; a service's own wish for a delay goes with it."""
    kind, remedy = next((kind, remedy) for known, kind, remedy in _BY_CLASS if isinstance(error, known))
    text = f"{name}: {' '.join(str(error).split()) or type(error).__name__}; {remedy}".replace(key, "***")
    if kind is not TransientError and getattr(error, "status_code", 0) not in _LATER:
        return kind(text)
    headers = getattr(error, "headers", None) or {}
    return TransientError(text, retry_after(headers.get("retry-after"), time.time()))
