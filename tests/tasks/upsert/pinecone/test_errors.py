"""Every exception of the SDK has a meaning here."""

import inspect
from typing import Any

import httpx
import pytest
from pinecone.errors import exceptions as sdk

from tasks.errors import ConfigError, HeadraceError, NoCollectionError, ServiceError, TransientError
from tasks.upsert.pinecone.errors import translate, translated

EXPECTED = {
    "PineconeError": ServiceError,
    "ApiError": ServiceError,
    "NotFoundError": NoCollectionError,
    "ConflictError": TransientError,
    "UnauthorizedError": ConfigError,
    "ForbiddenError": ConfigError,
    "PaymentRequiredError": ServiceError,
    "FailedPreconditionError": ServiceError,
    "PayloadTooLargeError": ServiceError,
    "RateLimitError": TransientError,
    "ServiceError": TransientError,
    "IndexInitFailedError": ServiceError,
    "IndexTerminatedError": ServiceError,
    "PineconeTimeoutError": TransientError,
    "PineconeConnectionError": TransientError,
    "PineconeValueError": ServiceError,
    "PineconeTypeError": ServiceError,
    "ResponseParsingError": TransientError,
}


def classes() -> set[type[Exception]]:
    """All that the SDK defines anywhere, by walking down from its base."""
    known: set[type[Exception]] = set()
    waiting: list[type[Exception]] = [sdk.PineconeError]
    while waiting:
        one = waiting.pop()
        known.add(one)
        waiting += one.__subclasses__()
    return known


def made(kind: type[Exception]) -> Exception:
    given: dict[str, Any] = {"message": "words", "status_code": 418, "name": "trial", "state": "Terminating"}
    given["index_name"] = "trial"
    taken = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in given.items() if name in taken})


def test_the_table_knows_every_class_of_the_sdk() -> None:
    assert {one.__name__ for one in classes()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_exception_of_the_sdk_becomes_one_of_ours(name: str) -> None:
    error = made(getattr(sdk, name))
    ours = translate(error, "the collection c", "key")
    assert type(ours) is EXPECTED[name]
    assert str(ours).startswith("the collection c: ")
    assert len(str(ours).partition("; ")[2]) > 10  # a remedy


@pytest.mark.parametrize(("status", "expected"), [(400, ServiceError), (408, TransientError), (425, TransientError)])
def test_a_status_without_a_class_is_judged_by_itself(status: int, expected: type[HeadraceError]) -> None:
    assert type(translate(sdk.ApiError("words", status), "c", "key")) is expected


def test_errors_of_the_transport_below_the_sdk_are_ours_too() -> None:
    with pytest.raises(TransientError), translated("c", "key"):
        raise httpx.DecodingError("bad gzip")
