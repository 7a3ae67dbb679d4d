"""Rows of files: their values stay as they are, and a file that cannot be read says why."""

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from pydantic import TypeAdapter, ValidationError

from config.sources import Source as AnySource
from tasks.errors import DocumentError
from tasks.load.base import Source
from tasks.load.open import open_source
from tests.contracts.row_places import write_rows

HEAD = b"id,title,year\n"
KINDS = ("csv", "jsonl", "json", "parquet", "xlsx")


def opened(path: Path | str, **settings: object) -> Source:
    given = {"kind": "table", "name": "s", "path": str(path), "id": "id", "text": "title", **settings}
    config: AnySource = TypeAdapter(AnySource).validate_python(given)
    return open_source(config)


def table(tmp_path: Path, content: bytes, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def texts(source: Source) -> dict[str, str]:
    return {ref.path: source.read(ref).text for ref in source.list().refs}


@pytest.mark.parametrize("kind", KINDS)
def test_a_neighbours_gap_changes_no_other_row(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    rows = [{"id": f"00{number}", "title": f"t{number}", "year": 2000 + number} for number in range(3)]
    settings: dict[str, object] = {"metadata": ["year"], "types": {"year": "integer"}}
    write_rows(path, rows)
    before = opened(path, **settings).list().refs
    write_rows(path, [*rows[:2], {**rows[2], "year": None}])
    source = opened(path, **settings)
    after = source.list().refs
    assert [ref.path for ref in after] == ["000", "001", "002"]
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, True, False]
    assert [source.read(ref).metadata for ref in after] == [{"year": 2000}, {"year": 2001}, {}]


def test_csv_stays_as_it_is_written(tmp_path: Path) -> None:
    path = table(tmp_path, b'id,title,year\n007,NA,1.10\nnull,"a, ""b""\nc",\n1e5,True,2024-01-02\n')
    source = opened(path, metadata=["year"])
    assert texts(source) == {"007": "NA", "1e5": "True", "null": 'a, "b"\nc'}
    assert [source.read(ref).metadata for ref in source.list().refs] == [{"year": "1.10"}, {"year": "2024-01-02"}, {}]


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ("id;title;year\n1;caf\u00e9, bar;2\n".encode(), {}),
        ("id|title|year\n1|caf\u00e9, bar|2\n".encode(), {"delimiter": "|"}),
        ("sep=^\r\nid^title^year\r\n1^caf\u00e9, bar^2\r\n".encode(), {}),
        ('\ufeffsep=;\nid;title;year\n1;"caf\u00e9, bar";2\n'.encode(), {}),
        ("id\ttitle\tyear\r\n\r\n1\tcaf\u00e9, bar\t2\r\n".encode(), {}),
        ('\ufeffid,title,year\n1,"caf\u00e9, bar",2\n'.encode(), {}),
        ('id,title,year\n1,"caf\u00e9, bar",2\n'.encode("utf-16"), {}),
        ('id,title,year\n1,"caf\u00e9, bar",2\n'.encode("latin-1"), {"encoding": "latin1"}),
    ],
)
def test_csv_is_read_however_it_was_saved(tmp_path: Path, content: bytes, settings: dict[str, object]) -> None:
    assert texts(opened(table(tmp_path, content), **settings)) == {"1": "caf\u00e9, bar"}


def test_a_packed_table_is_unpacked(tmp_path: Path) -> None:
    assert texts(opened(table(tmp_path, gzip.compress(HEAD + b"1,a,2\n"), "a.csv.gz"))) == {"1": "a"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.csv", b"ID,title\n1,a\n", "has no column 'id'; its columns are: ID, title"),
        ("a.csv", b"id,id,title\n1,2,a\n", "has two columns 'id'"),
        ("a.csv", HEAD + b"1,a,2\n2,b,c,d\n", "Expected 3 fields in line 3, saw 4"),
        ("a.csv", HEAD + b'1,a,2\n2,"b,c\n', "unexpected end of data"),
        ("a.csv", HEAD + b"1,caf\xe9,2\n", "set `encoding`"),
        ("a.jsonl", b'{"id": 1, "title": "a"}\n{"id": 2,\n', "line 2 is no JSON"),
        ("a.jsonl", b"[1]\n", "line 1 is no object"),
        ("a.csv", b"7," + b"long " * 20 + b"\n", "its columns are: 7, long long long long long long …"),
        ("a.jsonl", b"", "has no column 'id'; its columns are: none"),
        ("a.json", b'{"id": 1}', "expected a list of objects"),
        ("a.json", b"[" * 100_000, "recursion"),
        ("a.parquet", b"PAR1", "cannot be read as a table"),
        ("a.xlsx", b"PK", "cannot be read as a table"),
        ("a.docx", b"", "is no table by its suffix"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_failed_scope_of_all(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    listing = opened(table(tmp_path, content, name)).list()
    assert [(scope.prefix, scope.is_outage) for scope in listing.failed] == [("s:", False)]
    assert words in listing.failed[0].reason


def test_a_bad_row_is_set_aside_alone(tmp_path: Path) -> None:
    rows = b"1,a,20x4\n2,b\n3,c,2024\n4,,\n5,d,1\n5,e,1\n6," + b"x" * 200_000 + b",7\n"
    source = opened(table(tmp_path, HEAD + rows), metadata=["year"], types={"year": "integer"}, max_bytes=1000)
    listing = source.list()
    assert listing.failed == ()
    told: dict[str, str] = {}
    for ref in listing.refs:
        try:
            told[ref.path] = source.read(ref).text
        except DocumentError as error:
            told[ref.path] = str(error)
    assert "row 1 of" in told["1"]
    assert "column 'year' is '20x4', and `types` says integer" in told["1"]
    assert "the row has 2 cells and the first one 3" in told["2"]
    assert (told["3"], told["4"]) == ("c", "")
    assert "2 rows have this id" in told["5"]
    assert "200,000 bytes, the limit is 1,000" in told["6"]


def test_several_files_are_one_source_and_another_header_stops_nothing_else(tmp_path: Path) -> None:
    table(tmp_path, HEAD + b"1,a,2\n", "x/1.csv")
    table(tmp_path, b"title,more,id\nb,-,2\n", "x/2.csv")
    assert texts(opened(tmp_path / "x/*.csv")) == {"1": "a", "2": "b"}
    table(tmp_path, b"key,title\n3,c\n", "x/3.csv")
    source = opened(tmp_path / "x/*.csv")
    listing = source.list()
    assert [ref.path for ref in listing.refs] == ["1", "2"]
    assert "x/3.csv has no column 'id'" in listing.failed[0].reason


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    columns = {
        "id": pyarrow.array([9007199254740997, 2]),
        "title": ["a", None],
        "price": pyarrow.array([Decimal("1.10"), None]),
        "day": pyarrow.array([date(2024, 1, 2), None]),
        "tags": [["x", "y"], []],
        "share": [float("nan"), 0.5],
        "picture": [b"x", b"y"],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    source = opened(tmp_path / "a.parquet", metadata=["price", "day", "tags", "share"])
    two, one = source.list().refs
    assert one.path == "9007199254740997"
    assert source.read(one).metadata == {"price": 1.1, "day": "2024-01-02", "tags": ["x", "y"]}
    assert source.read(two).metadata == {"share": 0.5}
    binary = opened(tmp_path / "a.parquet", metadata=["picture"])
    with pytest.raises(DocumentError, match="column 'picture' is binary"):
        binary.read(binary.list().refs[0])


def test_a_sheet_is_chosen_by_its_name_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.xlsx", [{"id": 7, "title": 3, "year": 2.5}, {"id": 8, "title": None, "year": None}])
    source = opened(tmp_path / "a.xlsx", sheet="A", metadata=["year"])
    assert texts(source) == {"7": "3", "8": ""}
    assert source.read(source.list().refs[0]).metadata == {"year": 2.5}
    listing = opened(tmp_path / "a.xlsx", sheet="B").list()
    assert "no sheet is named 'B'; its sheets are: A" in listing.failed[0].reason


def test_json_numbers_and_texts_of_any_size_are_kept(tmp_path: Path) -> None:
    rows = [{"id": 10**30, "title": "\ud800x\u0000y", "year": {"b": [1], "a": 9007199254740997}}]
    source = opened(table(tmp_path, json.dumps(rows).encode(), "a.json"), metadata=["year"])
    (ref,) = source.list().refs
    document = source.read(ref)
    assert (ref.path, document.text) == (str(10**30), "\ufffdxy")
    assert document.metadata == {"year": '{"a": 9007199254740997, "b": [1]}'}


@pytest.mark.parametrize(
    ("path", "words"), [("nope.csv", "does not exist"), ("*.nope", "no file is named like"), ("", "is a folder")]
)
def test_a_path_that_names_no_table_says_so(tmp_path: Path, path: str, words: str) -> None:
    listing = opened(tmp_path / path).list()
    assert (listing.refs, len(listing.failed)) == ((), 1)
    assert words in listing.failed[0].reason


def test_what_was_listed_is_read_even_if_the_file_is_gone(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD + b"1,a,2\n")
    source = opened(path)
    (ref,) = source.list().refs
    path.unlink()
    assert source.read(ref).text == "a"


def test_an_encoding_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="'utf-99' is no encoding"):
        opened("a.csv", encoding="utf-99")
