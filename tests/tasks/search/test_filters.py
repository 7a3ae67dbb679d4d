"""What `--filter` is read as."""

from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.records import AnyOf, Condition, Filter
from tasks.search.filters import read_filters
from tasks.upsert.filters import passes

SOURCES = ["docs", "web"]


def read(*arguments: str) -> list[Condition]:
    return read_filters(arguments, SOURCES)


def typed(values: tuple[Any, ...]) -> list[tuple[type, Any]]:
    """In Python 1, 1.0 and True are equal."""
    return [(type(value), value) for value in values]


READINGS: dict[str, tuple[Any, ...]] = {
    "docs": ("docs",),
    "1": ("1", 1),
    "-7": ("-7", -7),
    "1.0": ("1.0", 1.0),
    "1e3": ("1e3", 1000.0),
    "true": ("true", True),
    "false": ("false", False),
    "True": ("True",),
    "1,true,1": ("1", 1, "true", True),
    "true,1": ("true", True, "1", 1),
    "03": ("03",),
    "+3": ("+3",),
    "³": ("³",),
    "1_000": ("1_000",),
    "nan": ("nan",),
    "inf": ("inf",),
    "1e999": ("1e999",),
    "9" * 18: ("9" * 18, int("9" * 18)),
    "9" * 40: ("9" * 40, 1e40),
    "9" * 5000: ("9" * 5000,),
    "": ("",),
    "a,b": ("a", "b"),
    "a,": ("a", ""),
    "a b, c": ("a b", " c"),
    '"a,b"': ("a,b",),
    '"a,b",c': ("a,b", "c"),
    '"1"': ("1",),
    '"true",true': ("true", True),
    '"say ""hi"""': ('say "hi"',),
    '""': ("",),
    '5" disk': ('5" disk',),
    "a=b": ("a=b",),
    "a>=1": ("a>=1",),
    '">=1"': (">=1",),
    "two\nlines": ("two\nlines",),
    "\udcff": ("\\xff",),
}


@pytest.mark.parametrize(("text", "values"), READINGS.items(), ids=range(len(READINGS)))
def test_a_value_has_every_type_it_can_be_read_as(text: str, values: tuple[Any, ...]) -> None:
    for sign, operator in (("=", "in"), ("!=", "not_in")):
        [one] = read(f"at{sign}{text}")
        assert isinstance(one, Filter)
        assert (one.field, one.operator) == ("at", operator)
        assert typed(one.values) == typed(values)


@pytest.mark.parametrize("sign", [">=", ">", "<=", "<"])
@pytest.mark.parametrize(("text", "value"), [("1", 1), ("-2.5", -2.5), ("1e3", 1000.0), ("0", 0)])
def test_a_range_has_one_number(sign: str, text: str, value: float) -> None:
    [one] = read(f"at{sign}{text}")
    assert isinstance(one, Filter)
    assert (one.field, one.operator, typed(one.values)) == ("at", sign, typed((value,)))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("docs", "a field, an operator and a value"),
        ("", "a field, an operator and a value"),
        ("=docs", "a field, an operator and a value"),
        ("at>=x", "a number after >="),
        ("at<", "a number after <"),
        ("at>1,2", "a number after >"),
        ('at>"1"', "a number after >"),
        ("at>=nan", "a number after >="),
        ("at>=1e999", "a number after >="),
        ("at==1", "stands in double quotes"),
        ("at=<1", "stands in double quotes"),
        ("at!=>1", "stands in double quotes"),
        ('at="a', "to end with one"),
        ('at="a"b', "to end with one"),
        ('at=a,"b', "to end with one"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_words(argument: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        read("source=docs", argument)
    assert f"--filter {argument!r}: expected" in str(raised.value)


def test_the_field_ends_at_the_first_operator() -> None:
    conditions = read("a!b=1", "a b!=1", "a.b<=1", "it's=a=b")
    assert [one.field for one in conditions if isinstance(one, Filter)] == ["a!b", "a b", "a.b", "it's"]


def test_a_field_may_be_named_twice() -> None:
    assert read("tags=a", "tags=b") == [Filter("tags", "in", ("a",)), Filter("tags", "in", ("b",))]


PLACES = [
    {"source": "docs", "document": "a.md"},
    {"source": "docs", "document": "b.md"},
    {"source": "web", "document": "a.md"},
    {"source": "web", "document": "docs:b.md"},
]


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        (["document=docs:a.md"], [0]),
        (["document=a.md"], [0, 2]),
        (["document=docs:a.md,web:a.md"], [0, 2]),
        (["document=docs:a.md,b.md"], [0, 1]),
        (["document=docs:a.md", "source=web"], []),
        (["document=docs:b.md", "source=web"], [3]),
        (["document=elsewhere:a.md"], []),
        (["document!=docs:a.md"], [1, 2, 3]),
        (["document!=docs:a.md", "source=docs"], [1]),
        (["document!=docs:a.md,web:a.md"], [1, 3]),
        (["document!=a.md"], [1, 3]),
        (["document!=elsewhere:a.md"], [0, 1, 2, 3]),
    ],
)
def test_a_document_may_be_named_as_results_name_it(arguments: list[str], places: list[int]) -> None:
    conditions = read(*arguments)
    assert [number for number, place in enumerate(PLACES) if passes(place, conditions)] == places


def test_only_documents_have_two_parts() -> None:
    assert read("title=docs:a.md") == [Filter("title", "in", ("docs:a.md",))]
    assert not any(isinstance(one, AnyOf) for one in read("document=docs", "document=elsewhere:a.md"))


@pytest.mark.parametrize("text", ["2024-01-31T10:00", "2024-01-31 10:00:00.25Z", "2024-01-31T10:00+02:00"])
def test_a_range_takes_a_date(text: str) -> None:
    assert read(f"at>={text}") == [Filter("at", ">=", (text,))]


def test_a_year_alone_is_a_number() -> None:
    assert read("at>=2024", "at<-2024") == [Filter("at", ">=", (2024,)), Filter("at", "<", (-2024,))]


@pytest.mark.parametrize("text", ["2024-1-31", "2023-02-29", "2024-01-31T25:00", '"2024-01-31"', "today", ""])
def test_a_range_of_what_is_no_date_is_refused_with_the_forms_of_one(text: str) -> None:
    with pytest.raises(ConfigError, match="or a date: 2024-01-31 or 2024-01-31T10:00:00"):
        read(f"at>={text}")


@pytest.mark.parametrize("values", [(), (1, 2), ("1",), (True,), ("2024-01-31", "2024-02-01")])
def test_a_range_of_anything_but_one_number_or_date_cannot_be_made(values: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="expected one number or date"):
        Filter("at", ">=", values)
