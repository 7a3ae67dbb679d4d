"""What every store with an index of words promises: the same hits as BM25 by its definition."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tasks.records import Filter, Query, Sentinel
from tasks.upsert.lancedb.store import LanceStore
from tasks.upsert.memory import MemoryStore
from tasks.upsert.words.index import WordIndex
from tasks.upsert.words.store import WordedStore
from tests.contracts.store.trial import ANYWHERE, point
from tests.points import Point, columns

KINDS = ("qdrant", "qdrant server", "pgvector", "lancedb", "chroma", "pinecone", "memory")
BESIDE = ("chroma", "pinecone")  # their words are in an index of ours,
ON_SERVER = "memory"  # and here that is on PostgreSQL
TEXTS = {
    "pump": "The pump runs hot when the bearing is dry. Grease the bearing.",
    "bearing": "A bearing that is dry wears out; every bearing wants grease, a dry bearing most of all.",
    "menu": "Soup, bread and a salad with walnuts.",
    "code": "def getUserName(user_id): return HTTPServerError",
    "long": "Nothing of note. " * 40 + "Only at its end stands one bearing.",
}


def record(name: str, text: str) -> Point:
    made = point(name, team=name[0])
    return made._replace(payload={**made.payload, "text": text})


RECORDS = {name: record(name, text) for name, text in TEXTS.items()}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def bm25(query: str, texts: dict[str, str]) -> dict[str, float]:
    """By the definition, with k1 of 1.2 and b of 0.75."""
    held = {name: Counter(words(text)) for name, text in texts.items()}
    average = sum(map(Counter.total, held.values())) / len(held)
    scores = dict.fromkeys(texts, 0.0)
    for word in set(words(query)):
        frequency = sum(word in counts for counts in held.values())
        weight = math.log(1 + (len(held) - frequency + 0.5) / (frequency + 0.5))
        for name, counts in held.items():
            length = 1.2 * (1 - 0.75 + 0.75 * counts.total() / average)
            scores[name] += weight * counts[word] * 2.2 / (counts[word] + length)
    return {name: score for name, score in scores.items() if score}


def opened(kind: str, request: pytest.FixtureRequest) -> Any:
    """The store of that kind, with an index of words beside it where it has none."""
    if kind == ON_SERVER:
        store: Any = WordedStore(MemoryStore(), WordIndex(request.getfixturevalue("postgres_url"), "english", "words"))
        request.addfinalizer(store.close)
    else:
        store = request.getfixturevalue("trial_of")(kind).open()
        store = WordedStore(store, WordIndex("sqlite://", "english")) if kind in BESIDE else store
    store.ensure(8)
    return store


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Any:
    store = opened(request.param, request)
    store.upsert(columns(*RECORDS.values()))
    store.mark(Sentinel("lineage", 1, "space"))
    return store


def found(store: Any, query: str, *conditions: Filter, limit: int = 10, offset: int = 0) -> list[str]:
    hits = store.search(Query(ANYWHERE, limit, conditions, offset, words=query))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return [hit.payload["text"] for hit in hits]


def texts(names: Sequence[str]) -> list[str]:
    return [TEXTS[name] for name in names]


def test_records_that_hold_a_word_are_found_in_the_order_of_bm25(store: Any) -> None:
    scores = bm25("bearing", TEXTS)
    assert found(store, "bearing") == texts(sorted(scores, key=lambda name: -scores[name]))
    assert found(store, "walnut") == texts(["menu"])  # its stem
    assert found(store, "zebra") == []


def test_parts_of_identifiers_are_words(store: Any) -> None:
    queries = ("getUserName", "user_id") if isinstance(store, LanceStore) else ("user", "server error", "user_id")
    for query in queries:  # Lance splits at underscores alone
        assert found(store, query) == texts(["code"])


def test_conditions_hold_for_words_as_well(store: Any) -> None:
    assert found(store, "bearing", Filter("team", "in", ("p",))) == texts(["pump"])


def test_pages_of_words_fit_together(store: Any) -> None:
    whole = found(store, "bearing")
    assert [found(store, "bearing", limit=1, offset=rank)[0] for rank in range(len(whole))] == whole


def test_what_is_written_deleted_or_changed_is_so_for_words_at_once(store: Any) -> None:
    store.delete([RECORDS["bearing"].id])
    assert set(found(store, "bearing")) == {TEXTS["pump"], TEXTS["long"]}
    store.upsert(columns(record("new", "Another bearing.")))
    assert "Another bearing." in found(store, "bearing")


@pytest.mark.parametrize("kind", ["qdrant", "qdrant server", "lancedb"])
def test_the_first_texts_decide_which_words_are_indexed_where_nobody_did(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """With those of a script without spaces whole words, else English stems; later texts change nothing.

    Records without letters, as of pictures, decide nothing; a collection that was emptied decides again.
    """
    trials = request.getfixturevalue("trial_of")(kind)  # one collection
    for number, (first, later, query) in enumerate(
        [("The menu has walnuts.", "轴承必须每四百小时润滑一次。", "walnut"), (*list(UNSPACED)[:2], "润滑")]
    ):
        made = trials.open()
        store = made.indexing({}, language="auto") if kind == "qdrant server" else made.indexing("auto")
        store.ensure(8)
        store.mark(Sentinel("lineage", 1, "space"))
        store.expect(2)
        assert found(store, query) == []
        records = [record(f"{text}{number}", text) for text in ("", "42", first, later)]
        for one in records:
            store.upsert(columns(one))
        assert found(store, query) == [first]
        store.close()
        again = trials.open()
        assert found(again, query) == [first]
        again.delete([one.id for one in records])
        again.close()


UNSPACED = {
    "轴承必须每四百小时润滑一次。": ("轴承", "润滑", "一次"),
    "スープ・パンとサラダ": ("サラダ", "パン"),
    "ปั๊มร้อนเมื่อแบริ่งแห้ง": ("แบริ่ง", "ร้อน"),
    "ポンプ用の水と油": ("ポンプ", "水"),
    "ＧｅｔＨＴＴＰ轴": ("http",),
}


@pytest.mark.parametrize("kind", ["pgvector", *BESIDE, ON_SERVER])
def test_scripts_without_spaces_are_searched_by_pairs_of_characters(kind: str, request: pytest.FixtureRequest) -> None:
    store = opened(kind, request)
    store.upsert(columns(*(record(str(number), text) for number, text in enumerate(UNSPACED))))
    store.mark(Sentinel("lineage", 1, "space"))
    for text, queries in UNSPACED.items():
        for query in queries:
            assert found(store, query) == [text], query
    assert found(store, "菜单") == []
    assert set(found(store, "轴")) == {"轴承必须每四百小时润滑一次。", "ＧｅｔＨＴＴＰ轴"}
