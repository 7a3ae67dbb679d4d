"""A cached vector that was damaged, in whatever way, is no vector: it is missed, told, and replaced by the next one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks.dedupe.cache import EmbeddingCache
from tasks.records import EmbeddingKey

SIZE = 12
KEYS = [EmbeddingKey(bytes([number]) * 16) for number in range(4)]
ROWS = np.random.default_rng(1).normal(size=(4, SIZE)).astype("<f4")
VECTORS = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)


def number(value: float) -> Callable[[bytes], bytes]:
    """Its third number becomes this one."""
    return lambda row: row[:8] + np.float32(value).tobytes() + row[12:]


DAMAGES: dict[str, Callable[[bytes], object]] = {
    "not a number": number(np.nan),
    "infinite": number(np.inf),
    "huge": number(3e38),
    "another number": number(0.7),
    "zero": lambda row: bytes(len(row)),
    "all ones": lambda row: b"\xff" * len(row),
    "short": lambda row: row[:-4],
    "long": lambda row: row + row[:4],
    "longer": lambda row: row + row[:8],
    "odd": lambda row: row[:-1],
    "empty": lambda row: b"",
    "half": lambda row: row[: len(row) // 2],
}
ONLY_PROVEN: dict[str, Callable[[bytes], object]] = {
    "one bit": lambda row: row[:5] + bytes([row[5] ^ 1]) + row[6:],
    "the last bit of the sum": lambda row: row[:-1] + bytes([row[-1] ^ 128]),
    "shifted": lambda row: row[4:] + row[:4],
    "two numbers changed places": lambda row: row[4:8] + row[:4] + row[8:],
}
ONLY_SQLITE: dict[str, Callable[[bytes], object]] = {
    "a text": lambda row: "vector",
    "a text of as many bytes": lambda row: "v" * len(row),
    "an integer": lambda row: 7,
    "a number": lambda row: 0.5,
}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[EmbeddingCache]:
    made = EmbeddingCache(f"sqlite:///{tmp_path}/cache.db", SIZE)
    made.put(KEYS[:3], VECTORS[:3], [1, 2, 3])
    yield made
    made.close()


def rewrite(cache: EmbeddingCache, change: Callable[[bytes], object], key: bytes = KEYS[0]) -> None:
    """Changes a row behind the cache's back."""
    with cache._database.write() as transaction:
        row = transaction.execute("SELECT vector FROM embedding WHERE key = ?", (key,)).scalar()
        transaction.execute("UPDATE embedding SET vector = ? WHERE key = ?", (change(row), key))


def without_sum(row: bytes) -> bytes:
    """As a version that kept no check sums wrote it."""
    return row[: 4 * SIZE]


def check_missed_and_replaced(cache: EmbeddingCache) -> None:
    assert cache.missing(KEYS) == {KEYS[0], KEYS[3]}
    assert set(cache.get(KEYS)) == {KEYS[1], KEYS[2]}
    assert (cache.held(KEYS).damaged, cache.damaged) == ({KEYS[0]}, {KEYS[0]})
    cache.put(KEYS[:2], np.stack([VECTORS[3], VECTORS[3]]), [1, 1])
    found = cache.get(KEYS)
    np.testing.assert_array_equal(found[KEYS[0]], VECTORS[3])
    np.testing.assert_array_equal(found[KEYS[1]], VECTORS[1], "what was sound keeps its own")


@pytest.mark.parametrize("damage", DAMAGES | ONLY_PROVEN | ONLY_SQLITE)
def test_a_damaged_row_is_missed_and_replaced(cache: EmbeddingCache, damage: str) -> None:
    rewrite(cache, (DAMAGES | ONLY_PROVEN | ONLY_SQLITE)[damage])
    check_missed_and_replaced(cache)


def test_a_damaged_row_on_a_server_is_missed_and_replaced(postgres_url: str) -> None:
    for name, damage in (DAMAGES | ONLY_PROVEN).items():
        cache = EmbeddingCache(postgres_url, SIZE)
        cache.put(KEYS[:3], VECTORS[:3], [1, 2, 3])
        rewrite(cache, damage)
        assert cache.missing(KEYS) == {KEYS[0], KEYS[3]}, name
        check_missed_and_replaced(cache)
        with cache._database.write() as transaction:
            transaction.execute("DELETE FROM embedding")
        cache.close()


def test_a_text_in_no_encoding_is_a_damaged_row(cache: EmbeddingCache) -> None:
    with cache._database.write() as transaction:
        transaction.execute("UPDATE embedding SET vector = CAST(x'ff00' AS TEXT) WHERE key = ?", (KEYS[0],))
    check_missed_and_replaced(cache)


def test_a_whole_row_under_another_key_is_damaged(cache: EmbeddingCache) -> None:
    other = cache._database
    with other.read() as transaction:
        row = transaction.execute("SELECT vector FROM embedding WHERE key = ?", (KEYS[2],)).scalar()
    rewrite(cache, lambda _: row)
    check_missed_and_replaced(cache)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_row_without_a_check_sum_is_believed_as_far_as_its_length_goes(cache: EmbeddingCache, damage: str) -> None:
    """Its number of dimensions, and that of the vector."""
    rewrite(cache, without_sum)
    held = cache.held(KEYS)
    assert (set(held.proven), set(held.unproven), held.damaged) == ({KEYS[1], KEYS[2]}, {KEYS[0]}, set())
    np.testing.assert_array_equal(cache.get(KEYS)[KEYS[0]], VECTORS[0])
    rewrite(cache, DAMAGES[damage])
    check_missed_and_replaced(cache)
    assert set(cache.held(KEYS).proven) == {*KEYS[:3]}


def test_a_vector_that_was_proved_wrong_is_replaced(cache: EmbeddingCache) -> None:
    cache.replace(KEYS[:1], VECTORS[3:], [9])
    np.testing.assert_array_equal(cache.get(KEYS)[KEYS[0]], VECTORS[3])


def test_vectors_of_an_odd_dimension_and_none_at_all_are_kept_alike(tmp_path: Path) -> None:
    cache = EmbeddingCache(f"sqlite:///{tmp_path}/cache.db", 1)
    cache.put([], np.empty((0, 1), np.float32), [])
    cache.put(KEYS[:1], np.ones((1, 1), np.float32), [1])
    assert (cache.missing([]), cache.missing(KEYS[:2])) == (set(), {KEYS[1]})
    cache.close()
