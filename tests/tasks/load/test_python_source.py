"""What a function of the user's own yields."""

import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from config.sources import Source as AnySource
from tasks.errors import DocumentError
from tasks.load.base import Source
from tasks.load.open import open_source


def opened(folder: Path, code: str = "", function: str = "export:f", **settings: object) -> Source:
    if code:
        folder.mkdir(exist_ok=True)
        (folder / "export.py").write_text(code)
    given = {"kind": "python", "name": "s", "function": function, **settings}
    config: AnySource = TypeAdapter(AnySource).validate_python(given, context={"folder": str(folder)})
    return open_source(config)


def test_what_is_yielded_is_a_document_with_its_metadata(tmp_path: Path) -> None:
    code = (
        "import datetime\n"
        "def f():\n"
        "    yield 'a', '# Alpha', {'day': datetime.date(2024, 1, 2), 'tags': ['x', 'y'], 'none': None}, 3\n"
        "    yield 7, 'seven', {}\n"
    )
    source = opened(tmp_path, code)
    seven, alpha = source.list().refs
    assert (seven.path, alpha.path, alpha.hint.partition("-")[2]) == ("7", "a", "3")
    assert source.read(alpha).metadata == {"title": "Alpha", "day": "2024-01-02", "tags": ["x", "y"]}
    assert source.read(seven).text == "seven"


def test_a_failure_in_the_middle_keeps_what_came_before_and_makes_the_rest_unknown(tmp_path: Path) -> None:
    code = "def f():\n    yield 'a', 'x', {}\n    yield 'b', 'y', {}\n    raise {}\n"
    for number, (error, is_outage) in enumerate(
        (("KeyError('k')", False), ("ConnectionError('gone')", True), ("SystemExit(3)", False))
    ):
        source = opened(tmp_path / str(number), code.replace("{}\n    yield", "dict()\n    yield").format({}, error))
        listing = source.list()
        assert [ref.path for ref in listing.refs] == ["a", "b"]
        assert [(scope.prefix, scope.is_outage) for scope in listing.failed] == [("s:", is_outage)]
        assert f"stopped after 2 of its items: {error.partition('(')[0]}" in listing.failed[0].reason
        assert source.read(listing.refs[1]).text == "y"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("'a', 'x'", "item 2 is a tuple of 2; expected (id, text, metadata)"),
        ("{'id': 1}", "item 2 is of type dict"),
        ("'secret text'", "item 2 is of type str"),
        ("None, 'x', {}", "the id of item 2 is None"),
        ("True, 'x', {}", "the id of item 2 is of type bool"),
        ("'', 'x', {}", "1 row has no value in the id"),
    ],
)
def test_an_item_that_cannot_be_named_makes_the_listing_incomplete(tmp_path: Path, item: str, words: str) -> None:
    source = opened(tmp_path, f"def f():\n    yield 'ok', 'x', {{}}\n    yield {item}\n    yield 'too', 'y', {{}}\n")
    listing = source.list()
    assert [ref.path for ref in listing.refs] == ["ok", "too"]
    assert [scope.prefix for scope in listing.failed] == ["s:"]
    assert words in listing.failed[0].reason
    assert "secret" not in listing.failed[0].reason


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("None, {}", "the text of item 1 is None"),
        ("b'x', {}", "the text of item 1 is of type bytes"),
        ("'x', None", "the metadata of item 1 is None"),
        ("'x', {1: 2}", "the metadata of item 1 is of type dict"),
        ("'x', {'k': object()}", "metadata 'k' of item 1 is of type object"),
        ("'x', {'k': b'x'}", "metadata 'k' of item 1 is of type bytes"),
    ],
)
def test_an_item_with_an_id_is_set_aside_alone(tmp_path: Path, rest: str, words: str) -> None:
    source = opened(tmp_path, f"def f():\n    yield 'a', {rest}\n    yield 'b', 'y', {{}}\n")
    listing = source.list()
    assert listing.failed == ()
    with pytest.raises(DocumentError) as error:
        source.read(listing.refs[0])
    assert words in str(error.value)
    assert source.read(listing.refs[1]).text == "y"


def test_an_id_that_comes_twice_is_told_and_nothing_is_merged(tmp_path: Path) -> None:
    source = opened(tmp_path, "def f():\n    yield 'a', 'x', {}\n    yield 'a', 'y', {}\n    yield 'b', 'z', {}\n")
    first, second = source.list().refs
    with pytest.raises(DocumentError, match="s:a: 2 rows have this id"):
        source.read(first)
    assert source.read(second).text == "z"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nowhere_at_all", "cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("def g(): pass", "has no such function"),
        ("def f(x): yield x", "TypeError: f() missing 1 required positional argument"),
        ("def f(): return 5", "returns what is of type int"),
        ("def f(): pass", "returns what is None"),
        ("def f(): return 'text'", "returns what is of type str"),
        ("async def f(): yield 1", "returns what is of type async_generator"),
        ("async def f(): return 1", "returns what is of type coroutine"),
    ],
)
def test_a_function_that_cannot_be_used_says_why(tmp_path: Path, code: str, words: str) -> None:
    listing = opened(tmp_path, code).list()
    assert (listing.refs, len(listing.failed)) == ((), 1)
    assert words in listing.failed[0].reason


def test_modules_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    before = list(sys.path)
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "__init__.py").touch()
        (tmp_path / name / "inner" / "pages.py").write_text("from .words import WORD\ndef f(): yield 'a', WORD, {}\n")
        (tmp_path / name / "inner" / "words.py").write_text(f"WORD = {name!r}\n")
    sources = [opened(tmp_path / name, function="inner.pages:f") for name in ("one", "two")]
    assert [source.read(source.list().refs[0]).text for source in sources] == ["one", "two"]
    assert sys.path[: len(before)] == before


def test_a_data_frame_is_a_table(tmp_path: Path) -> None:
    code = (
        "import pandas\n"
        "def f(): return pandas.DataFrame({'key': ['007', '8'], 'n': [3.0, None], 'body': ['a', None]})\n"
        "def g(): return f().set_index('key')\n"
    )
    for function in ("export:f", "export:g"):
        source = opened(tmp_path, code, function, id="key", text="body", metadata=["n"])
        first, second = source.list().refs
        assert (first.path, source.read(first).text, source.read(first).metadata) == ("007", "a", {"n": 3})
        assert (source.read(second).text, source.read(second).metadata) == ("", {})
    listing = opened(tmp_path, code).list()
    assert "the DataFrame has no column 'id'; its columns are: key, n, body" in listing.failed[0].reason


def test_a_name_that_is_no_function_is_refused() -> None:
    for function in ("export", "export:", ":f", "a b:f", "../export:f", "export:f()"):
        with pytest.raises(ValidationError, match="function"):
            opened(Path("/nowhere"), function=function)
