"""What a filter takes, and what it leaves."""

from typing import Any

from tasks.records import AnyOf, Filter, Operator, Query, Scalar
from tests.contracts.store.trial import ANYWHERE, Trial, check, names, point, with_vector
from tests.points import columns

VALUES: dict[str, Any] = {
    "text": "3",
    "integer": 3,
    "float": 3.0,
    "half": 3.5,
    "negative": -3,
    "one": 1,
    "zero": 0,
    "yes": True,
    "no": False,
    "word": "true",
    "blank": "",
    "exact": 2**53,
    "inexact": 2**53 + 1,
    "list": ["red", 7, True],
    "nested": [["red"], {"a": 3}],
    "tree": {"at": 3},
    "empty": [],
    "none": None,
}
EQUAL: list[tuple[list[Scalar], set[str]]] = [
    (["3"], {"text"}),
    ([3], {"integer", "float"}),
    ([3.0], {"integer", "float"}),
    ([3.5], {"half"}),
    ([-3], {"negative"}),
    ([1], {"one"}),
    ([True], {"yes", "list"}),
    ([0], {"zero"}),
    ([False], {"no"}),
    (["true"], {"word"}),
    (["true", True], {"word", "yes", "list"}),
    ([""], {"blank"}),
    ([7], {"list"}),
    (["red", "3"], {"list", "text"}),
    ([2**53], {"exact"}),
    ([2**53 + 1], {"inexact"}),
    (["None"], set()),
    ([10.0**40, 2**70], set()),
    ([], set()),
]
RANGES: list[tuple[Operator, float, set[str]]] = [
    (">=", 3, {"integer", "float", "half", "list", "exact", "inexact"}),
    (">", 3, {"half", "list", "exact", "inexact"}),
    (">", 3.25, {"half", "list", "exact", "inexact"}),
    ("<=", 1, {"negative", "one", "zero"}),
    ("<", 1, {"negative", "zero"}),
    ("<", -3.5, set()),
    ("<=", 3, {"negative", "one", "zero", "integer", "float"}),
]


@check
def a_filter_takes_values_by_type_and_its_opposite_the_rest(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("absent"), *(point(name, at=value) for name, value in VALUES.items())))
    for values, expected in EQUAL:
        assert names(store, Filter("at", "in", tuple(values))) == expected, values
        assert names(store, Filter("at", "not_in", tuple(values))) == {*VALUES, "absent"} - expected, values


@check
def a_range_takes_numbers_alone(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("absent"), *(point(name, at=value) for name, value in VALUES.items())))
    for operator, limit, expected in RANGES:
        assert names(store, Filter("at", operator, (limit,))) == expected, (operator, limit)


DATES: dict[str, Any] = {
    "day": "2024-01-01",
    "next day": "2024-01-02",
    "morning": "2024-01-01T10:00:00Z",
    "same morning": "2024-01-01 12:00:00+02:00",
    "minutes": "2024-01-01T10:00",
    "evening": "2024-01-01T23:30:00.5-02:00",
    "nanoseconds": "2024-01-01T08:30:00.123456789-0130",
    "old": "0999-12-31",
    "last": "9999-12-31T23:59:59",
    "one of them": ["x", "2024-01-01T10:00+00:00", 3],
    "no list's": [["2024-01-01T10:00:00Z"], {"a": "2024-01-01"}],
    "no leap day": "2023-02-29",
    "no hour": "2024-01-01T24:00:00Z",
    "sentence": "on 2024-01-01",
    "blank behind": "2024-01-01 ",
    "line": "2024-01-01\n",
    "month": "2024-01",
    "digits": "20240101",
    "year": "2024",
    "number": 2024,
    "seconds": 1704067200,
    "true": True,
    "none": None,
    "empty": "",
}
SINCE_TEN = {"morning", "same morning", "minutes", "one of them", "nanoseconds", "evening", "next day", "last"}
DATE_RANGES: list[tuple[Operator, str, set[str]]] = [
    (">=", "2024-01-01", {"day", *SINCE_TEN}),
    (">", "2024-01-01", SINCE_TEN),
    (">=", "2024-01-01T12:00:00+02:00", SINCE_TEN),
    (">", "2024-01-01 10:00", {"nanoseconds", "evening", "next day", "last"}),
    (">", "2024-01-02", {"evening", "last"}),
    ("<=", "2024-01-01T10:00:00.000Z", {"old", "day", "morning", "same morning", "minutes", "one of them"}),
    ("<", "2024-01-01T10:00", {"old", "day"}),
    ("<", "0999-12-31", set()),
    ("<=", "0001-01-01T00:00:00+15:00", set()),
    (">=", "9999-12-31T23:59:59-15:00", set()),
]


@check
def a_range_of_dates_takes_instants_alone(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("absent"), *(point(name, at=value) for name, value in DATES.items())))
    for operator, limit, expected in DATE_RANGES:
        assert names(store, Filter("at", operator, (limit,))) == expected, (operator, limit)
    assert names(store, Filter("at", ">=", (2024,))) == {"number", "seconds"}
    assert names(store, Filter("at", "<", (2024,))) == {"one of them"}


@check
def ranges_of_dates_have_other_conditions_beside_them(trial: Trial) -> None:
    store = trial.make()
    days = {f"2024-01-{day:02}": f"2024-01-{day:02}T12:00:00+00:00" for day in range(1, 32)}
    store.upsert(columns(*(point(day, **{"it's 100%": at, "day": int(day[-2:])}) for day, at in days.items())))
    later, sooner = Filter("it's 100%", ">=", ("2024-01-10",)), Filter("it's 100%", "<", ("2024-01-12",))
    assert names(store, later, sooner) == {"2024-01-10", "2024-01-11"}
    assert names(store, later, sooner, Filter("day", "not_in", (10,))) == {"2024-01-11"}
    assert names(store, AnyOf(((Filter("it's 100%", "<", ("2024-01-02",)),), (later, sooner)))) == {
        "2024-01-01",
        "2024-01-10",
        "2024-01-11",
    }


@check
def a_range_of_dates_narrows_before_limit_and_offset(trial: Trial) -> None:
    store = trial.make()
    points = [point(f"{number}", at="2025-06-01" if number % 50 == 7 else "2024-06-01") for number in range(400)]
    store.upsert(columns(*points))
    new = sorted(points[7::50], key=lambda one: -float(one.vector @ ANYWHERE))
    hits = store.search(Query(ANYWHERE, 3, [Filter("at", ">", ("2025-01-01",))], offset=2))
    assert [hit.id for hit in hits] == [one.id for one in new[2:5]]


@check
def all_conditions_must_hold(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("a", author="Ann", page=1), point("b", author="Ann", page=2), point("c", page=1)))
    ann, first = Filter("author", "in", ("Ann",)), Filter("page", "in", (1,))
    assert names(store) == {"a", "b", "c"}
    assert names(store, ann) == {"a", "b"}
    assert names(store, ann, first) == {"a"}
    assert names(store, Filter("author", "not_in", ("Ann",)), first) == {"c"}
    assert names(store, Filter("page", ">=", (1,)), Filter("page", "<", (2,))) == {"a", "c"}


@check
def one_field_may_have_several_conditions(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("both", tags=["a", "b"]), point("a", tags=["a"]), point("b", tags="b")))
    a, b = Filter("tags", "in", ("a",)), Filter("tags", "in", ("b",))
    assert names(store, a, b) == {"both"}
    assert names(store, a, Filter("tags", "not_in", ("b",))) == {"a"}


@check
def one_alternative_must_hold_whole(trial: Trial) -> None:
    store = trial.make()
    places = [("x", "1"), ("x", "2"), ("y", "1"), ("y", "2")]
    store.upsert(columns(*(point(f"{source}{path}", source=source, path=path) for source, path in places)))
    x, y = Filter("source", "in", ("x",)), Filter("source", "in", ("y",))
    one, two = Filter("path", "in", ("1",)), Filter("path", "in", ("2",))
    assert names(store, AnyOf(((x, one), (y, two)))) == {"x1", "y2"}
    assert names(store, AnyOf(((x, one), (y, two))), two) == {"y2"}
    not_x, not_one = Filter("source", "not_in", ("x",)), Filter("path", "not_in", ("1",))
    assert names(store, AnyOf(((not_x,), (not_one,)))) == {"x2", "y1", "y2"}
    assert names(store, AnyOf(())) == set()


@check
def a_field_that_no_record_has_is_no_error(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("a")))
    assert names(store, Filter("nothing", "in", ("x",))) == names(store, Filter("nothing", ">", (0,))) == set()
    assert names(store, Filter("nothing", "not_in", ("x",))) == {"a"}


@check
def a_filter_names_a_field_and_no_path(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(point("tree", a={"b": "x"}, tags=["x"])))
    keys = ["a.b", "a b", "tags[0]", "tags[]", "é", "it's"]
    store.upsert(columns(*(point(key, **{key: "x"}) for key in keys)))
    for key in keys:
        assert names(store, Filter(key, "in", ("x",))) == {key}


@check
def a_document_is_named_by_its_source_and_its_path(trial: Trial) -> None:
    store = trial.make()
    store.upsert(columns(*(point(f"{number}", source=source) for number in range(3) for source in "xy")))
    for source in "xy":
        hits = store.search(
            Query(point().vector, 9, [Filter("source", "in", (source,)), Filter("document", "in", ("1",))])
        )
        assert [(hit.payload["metadata"]["source"], hit.payload["metadata"]["document"]) for hit in hits] == [
            (source, "1")
        ]


@check
def filters_narrow_before_the_limit_is_applied(trial: Trial) -> None:
    store = trial.make()
    near = [with_vector([1.0] + [0.0] * 7, "near") for _ in range(60)]
    far = with_vector([0.0] * 7 + [1.0], "far")
    store.upsert(columns(*near, far))
    assert [hit.id for hit in store.search(Query(near[0].vector, 1, [Filter("document", "in", ("far",))]))] == [far.id]
    assert [hit.id for hit in store.search(Query(near[0].vector, 5, [Filter("document", "not_in", ("near",))]))] == [
        far.id
    ]


@check
def a_filter_narrows_before_the_offset(trial: Trial) -> None:
    store = trial.make()
    points = [point(f"{number}", parity=number % 2) for number in range(40)]
    store.upsert(columns(*points))
    odd = sorted(points[1::2], key=lambda one: -float(one.vector @ ANYWHERE))
    hits = store.search(Query(ANYWHERE, 8, [Filter("parity", "in", (1,))], offset=5))
    assert [hit.id for hit in hits] == [one.id for one in odd[5:13]]
