"""What the table of LanceDB is, apart from the contract of stores."""

import json
import threading
from pathlib import Path

import lancedb
import pyarrow as pa
import pytest

from tasks.errors import CollectionError, ConfigError, DocumentError, HeadraceError, ServiceError, TransientError
from tasks.records import Filter, Query, Sentinel
from tasks.upsert.lancedb import rows
from tasks.upsert.lancedb import store as lance
from tasks.upsert.lancedb.errors import translate
from tasks.upsert.lancedb.rows import as_table
from tasks.upsert.lancedb.store import LanceStore
from tests.contracts.store.trial import ANYWHERE, holds, names, point
from tests.points import Point, columns


def made(folder: Path, collection: str = "c") -> LanceStore:
    store = LanceStore(str(folder), collection)
    store.ensure(8)
    return store


def test_an_id_that_two_insert_at_once_is_there_once(tmp_path: Path) -> None:
    stores = [made(tmp_path) for _ in range(3)]
    shared = [[point(f"{number}") for _ in range(20)] for number in range(6)]
    failures: list[BaseException] = []
    together = threading.Barrier(3)

    def write(store: LanceStore) -> None:
        try:
            for batch in shared:
                together.wait(60)
                store.upsert(columns(*batch))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(stores[0].scan())) == stores[0].count() == 120


def test_many_small_syncs_do_not_pile_up_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(lance, "MARGIN_SECONDS", 0.0)
    stay: list[Point] = []
    for number in range(45):
        store = made(tmp_path)
        stay.append(point(f"{number}"))
        store.upsert(columns(stay[-1], goes := point("goes")))
        store.delete([goes.id])
        store.mark(Sentinel("line", number, "space"))
        store.close()
    store = LanceStore(str(tmp_path), "c")
    holds(store, *stay)
    assert store.sentinel() == Sentinel("line", 44, "space")
    assert sum(path.is_file() for path in tmp_path.rglob("*")) < 3.5 * lance.TIDIED


def test_an_old_version_stays_for_those_who_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lance, "PAGE", 1)
    store, points = made(tmp_path), [point(f"{number}") for number in range(lance.TIDIED + 5)]
    for one in points:
        store.upsert(columns(one))
    scan = LanceStore(str(tmp_path), "c").scan()
    first, _ = next(scan)
    store.delete([one.id for one in points[:30]])
    store.close()
    assert {first, *(point for point, _ in scan)} == {one.id for one in points}
    holds(LanceStore(str(tmp_path), "c"), *points[30:])


def test_reading_creates_nothing(tmp_path: Path) -> None:
    store = LanceStore(str(tmp_path / "none"), "c")
    assert (store.count(), store.sentinel(), store.search(Query(ANYWHERE, 3))) == (0, None, [])
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_another_process_has_dropped_is_empty_to_who_reads(tmp_path: Path) -> None:
    store, other, one = made(tmp_path), made(tmp_path), point()
    store.upsert(columns(one))
    store.mark(Sentinel("line", 1, "space"))
    calls = {
        "count": store.count,
        "sentinel": store.sentinel,
        "scan": lambda: list(store.scan()),
        "present": lambda: store.present([one.id]),
        "search": lambda: store.search(Query(ANYWHERE, 3)),
        "delete": lambda: store.delete([one.id]),
    }
    for name, call in calls.items():
        other.ensure(8)
        other.upsert(columns(one))
        store.count()
        other.drop()
        assert not call(), name
    with pytest.raises(ServiceError, match="no collection yet"):
        store.upsert(columns(one))


def test_the_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    made(tmp_path / "new").close()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_other_readers_find_columns(tmp_path: Path) -> None:
    store, one = made(tmp_path), point("a", year=2024, tags=["x", 2.5, True, None, ["deep"]])
    store.upsert(columns(one))
    (row,) = lancedb.connect(tmp_path).open_table("c").search().where("array_has(values, '\"year\"2024')").to_list()
    assert (row["id"], row["text"], json.loads(row["metadata"])) == (one.id, "text of a", one.payload["metadata"])
    assert row["values"] == ['"document"\'a', '"year"2024', '"tags"\'x', '"tags"2.5', '"tags"True']
    assert (row["numbers"], row["least"], row["greatest"]) == (['"year"', '"tags"'], [2024, 2.5], [2024, 2.5])


@pytest.mark.parametrize("field", ["at", "100%", "a\\_'b", '"'])
def test_dates_in_rows_of_an_older_version_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    store, since = made(tmp_path), Filter(field, ">=", ("2024-01-31",))
    with monkeypatch.context() as older:
        older.setattr(rows, "instant", lambda text: None)
        store.upsert(columns(*(point(day, **{field: [3, day]}) for day in ("2024-01-30", "2024-01-31", "2024"))))
    store.upsert(columns(point("new", **{field: "2024-02-01"}), point("newer", **{field: "2024-01-30"})))
    assert names(store, since) == {"2024-01-31", "new"}


def test_a_filter_may_hold_any_character_and_any_number(tmp_path: Path) -> None:
    store = made(tmp_path)
    texts = ["it's", 'q"q', "back\\slash", "nul\x00", "日本🙂", "--", "/*", "${x}", "' OR true OR '", "\"a'b"]
    store.upsert(columns(*(point(text, **{text: text}) for text in texts), point("large", number=10**400)))
    for text in texts:
        (hit,) = store.search(Query(ANYWHERE, 99, [Filter(text, "in", (text,))]))
        assert hit.payload["metadata"]["document"] == text
    for number in (10**400, 1e300, float("-inf")):
        (hit,) = store.search(Query(ANYWHERE, 99, [Filter("number", ">=", (number,))]))
        assert hit.payload["metadata"]["number"] == 10**400


@pytest.mark.parametrize(
    "payload",
    [
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": {1, 2}}},
        {"metadata": {"a": "\ud800"}},
        {"metadata": {}, "other": 1},
        {"text": "\ud800"},
        {"text": 7},
    ],
)
def test_a_payload_that_cannot_be_stored_names_its_document(payload: dict[str, object]) -> None:
    with pytest.raises(DocumentError, match=r"s:bad: point .* cannot be stored") as raised:
        as_table(columns(point()._replace(payload={**payload, "headrace": {"document": "s:bad"}})))
    assert raised.value.reason == "bad-payload"


def test_somebody_elses_table_is_refused(tmp_path: Path) -> None:
    lancedb.connect(tmp_path).create_table("c", data=pa.table({"id": ["a"]}))
    store = LanceStore(str(tmp_path), "c")
    for call in (store.count, lambda: store.ensure(8)):
        with pytest.raises(CollectionError, match="not one of Headrace's"):
            call()


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    made(tmp_path).upsert(columns(point()))
    for path in tmp_path.rglob("*.lance/_versions/*"):
        path.write_bytes(b"damaged")
    with pytest.raises(ServiceError, match=r"the collection 'c' in .*; restore the collection's folder"):
        LanceStore(str(tmp_path), "c").count()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="a file is in the way"):
        made(tmp_path / "file")


@pytest.mark.parametrize(
    ("words", "kind", "remedy"),
    [
        ("lance error: LanceError(IO): No space left on device (os error 28), /x/y.rs:3:26", ServiceError, "free some"),
        ("LanceError(IO): Permission denied (os error 13)", ServiceError, "owner and mode"),
        ("lance error: Retryable commit conflict for version 4", TransientError, "run again"),
        ("RetryError { source: Connect, tcp connect error }", TransientError, "is the bucket's service up"),
        (
            "Status { 404, <Code>NoSuchBucket</Code><Message>The bucket is gone</Message> }",
            ConfigError,
            "bucket's name",
        ),
        ("status: 403, <Code>AccessDenied</Code><Message>Access Denied</Message>", ConfigError, "AWS_ACCESS_KEY_ID"),
        ("something new", ServiceError, "restore the collection's folder"),
    ],
)
def test_each_foreign_error_has_a_cause_and_a_remedy(words: str, kind: type[HeadraceError], remedy: str) -> None:
    error = translate(RuntimeError(words), "the collection 'c' in /db")
    assert isinstance(error, kind)
    assert str(error).startswith("the collection 'c' in /db: ")
    assert remedy in str(error)
    assert ".rs:" not in str(error)


def test_a_mark_with_more_in_it_by_a_later_version_is_read(tmp_path: Path) -> None:
    store = made(tmp_path)
    store.mark(Sentinel("line", 4, "space"))
    table = lancedb.connect(str(tmp_path)).open_table("c")
    (name, text), *_ = [
        (key.decode(), value) for key, value in table.schema.field("headrace").metadata.items() if b"sentinel" in key
    ]
    later = json.dumps({**json.loads(text), "colour": "green"})
    table.update_field_metadata({"path": "headrace", "metadata": {name: later}})
    assert store.sentinel() == Sentinel("line", 4, "space")
    store.close()
