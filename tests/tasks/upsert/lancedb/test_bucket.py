"""LanceDB in a bucket; the whole contract of stores is run there by `make matrix`."""

from collections.abc import Iterator

import pytest

from tasks.errors import ConfigError
from tasks.upsert.lancedb.store import LanceStore
from tests.bucket_server import bucket
from tests.contracts.store import filters, records, sharing
from tests.contracts.store.kinds import BUCKETS
from tests.contracts.store.trial import Trial


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with bucket() as made:
        yield made


@pytest.mark.parametrize(
    "check",
    [
        records.an_upsert_is_idempotent,
        records.an_upsert_of_a_held_id_replaces_payload_and_vector,
        filters.filters_narrow_before_the_limit_is_applied,
        sharing.an_id_may_be_in_two_collections,
    ],
)
def test_a_bucket_keeps_the_contract(check: object, address: str) -> None:
    assert callable(check)
    trial = Trial(BUCKETS["lancedb bucket"], address)
    check(trial)
    trial.close()


def test_a_bucket_that_is_not_there_is_named(address: str) -> None:
    with pytest.raises(ConfigError, match=r"'c' in s3://nobody/x: The specified bucket does not exist; check the"):
        LanceStore("s3://nobody/x", "c").count()
