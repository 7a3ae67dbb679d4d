"""Where the classes and functions of source code are, by the grammars of fifteen languages."""

import re
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.embedders import HashingEmbedder
from tasks.chunk.auto import AutoChunker
from tasks.chunk.definitions import Definition, by_indentation, find_definitions, of_headings
from tasks.embed.open import open_embedder
from tasks.errors import DocumentError
from tasks.load.parse import code
from tasks.load.parse.code import parse_code
from tasks.load.parse.isolated import child
from tasks.load.parse.open import parse
from tasks.load.parse.text import Parsed
from tasks.places import Heading
from tasks.records import Document, DocumentId, DocumentRef

SOURCES = {
    "a.py": (
        "import os\n\n\n# of pumps\n@sealed\nclass Pump(Base):\n    '''d'''\n\n    # c\n    @p\n"
        "    async def run(self):\n        return 1\n"
    ),
    "a.js": "/** of pumps */\nclass Pump extends B {\n  run(x) {\n    return 1;\n  }\n}\n",
    "a.ts": (
        "// of pumps\nexport abstract class Pump<T> {\n  x = 1;\n  /** d */\n"
        "  run(x: number): string {\n    return '';\n  }\n}\n"
    ),
    "a.tsx": "export namespace Pump {\n  export const run = (x: number) => {\n    return <b/>;\n  };\n}\n",
    "a.java": (
        "package a;\n/** of pumps */\n@X\npublic class Pump extends B {\n  /** d */\n  @Override\n"
        "  public int run(int x) {\n    return 1;\n  }\n}\n"
    ),
    "a.go": (
        "package a\n\n// of pumps\ntype Pump struct {\n\tA int\n}\n\n// d\n"
        "func (p *Pump) run(x int) error {\n\treturn nil\n}\n"
    ),
    "a.rs": (
        "/// of pumps\n#[derive(X)]\npub struct Pump {\n  x: i32,\n}\n\nimpl<T> Foo for Pump {\n"
        "  /// d\n  pub fn run(&self) -> i32 {\n    1\n  }\n}\n"
    ),
    "a.c": ("/* of pumps */\nstruct Pump {\n  int x;\n};\n\n// d\nstatic int *run(int x)\n{\n  return 0;\n}\n"),
    "a.cpp": (
        "namespace n {\n// of pumps\ntemplate <class T>\nclass Pump : B {\n public:\n"
        "  int run(int x) {\n    return 1;\n  }\n};\n}\n"
    ),
    "a.cs": (
        "namespace N {\n  /// of pumps\n  [Attr]\n  public class Pump : B {\n    int run(int x) {\n"
        "      y();\n    }\n  }\n}\n"
    ),
    "a.rb": "module A\n  # of pumps\n  class Pump < B\n    def run(x)\n      1\n    end\n  end\nend\n",
    "a.php": (
        "<?php\n/** of pumps */\n#[Attr]\nclass Pump extends C {\n  public function run($x) {\n    return 1;\n  }\n}\n"
    ),
    "a.swift": "/// of pumps\nstruct Pump {\n  func run() -> Int {\n    return 1\n  }\n}\n",
    "a.kt": "/** of pumps */\n@Foo\nclass Pump(val x: Int) {\n  fun run(): Int {\n    return 1\n  }\n}\n",
    "a.scala": "// of pumps\nobject Pump {\n  def run(x: Int): Int = {\n    1\n  }\n}\n",
    "a.sh": "# of pumps\nPump() {\n  run\n}\n\nfunction run {\n  echo\n}\n",
}
WORDS = open_embedder(HashingEmbedder(kind="hashing")).tokenizer


@pytest.fixture(scope="module", autouse=True)
def _one_parser() -> Iterator[None]:
    yield
    child.SHARED.close()


def definitions(name: str, text: str) -> tuple[Definition, ...]:
    headings = parse_code(name, text.encode()).headings
    assert headings is not None
    assert all(0 <= one.start <= one.end <= len(text) for one in headings)
    return of_headings(text, headings).all


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("before", ["", "\u00e9\u6f22\U0001f44d"], ids=["ASCII", "other characters"])
def test_a_definition_has_its_comments_its_attributes_and_its_end(name: str, before: str) -> None:
    text = SOURCES[name].replace("of pumps", f"of pumps{before}")
    found = {one.title: text[one.start : one.end] for one in reversed(definitions(name, text))}
    assert {"Pump", "run"} <= set(found)
    assert found["Pump"].strip().splitlines()[0].strip() == next(
        (line.strip() for line in text.splitlines() if "of pumps" in line), "export namespace Pump {"
    )
    assert found["run"].strip().splitlines()[0].strip() in text
    assert all(body == "" or body.endswith("\n") for body in found.values()), "whole lines"
    assert all(text[text.rfind("\n", 0, one.start) + 1 : one.start] == "" for one in definitions(name, text))


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"a.go", "a.c", "a.sh", "a.rs"}))
def test_a_method_is_inside_its_class(name: str) -> None:
    found = definitions(name, SOURCES[name])
    run = next(one for one in found if one.title == "run")
    assert found[run.parent].title == "Pump"
    assert "run" in run.signature
    assert "return" not in run.signature
    assert not re.search("@|of pumps|Attr", found[run.parent].signature)


def test_each_language_of_the_table_has_its_grammar_installed() -> None:
    assert [path for path in code._GRAMMARS.values() if not code._is_installed(path.partition(":")[0])] == []


def test_a_document_of_code_knows_what_its_grammar_found() -> None:
    [own] = AutoChunker(64, 0, WORDS).split([document("a.java", SOURCES["a.java"].encode())])
    assert [chunk.headings for chunk in own] == [()]
    one = document("a.java", SOURCES["a.java"].encode())
    assert [each.title for each in find_definitions(one).all] == ["Pump", "run"]


def document(name: str, content: bytes) -> Document:
    return parse(DocumentRef(DocumentId(f"s:{name}"), "s", name), content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zig", b"fn run() void {\n}\n"),
        ("a.py", b"def run():\n    return 1\n" * (code.MOST_BYTES // 20)),
        ("Makefile.in", b"all:\n\techo\n"),
    ],
)
def test_what_no_grammar_is_asked_for_goes_by_its_lines(name: str, content: bytes) -> None:
    one = document(name, content)
    assert (one.format, one.headings) == ("code", None)
    with pytest.raises(DocumentError, match="has no grammar"):
        parse_code(name, content)


def test_a_grammar_that_is_not_installed_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "find_spec", lambda name: None if name == "tree_sitter_java" else find_spec(name))
    code._is_installed.cache_clear()
    assert document("a.java", SOURCES["a.java"].encode()).headings is None
    code._is_installed.cache_clear()


def test_a_grammar_that_takes_too_long_or_dies_costs_no_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MOST_SECONDS", -1.0)
    with pytest.raises(DocumentError, match="takes its grammar more than"):
        parse_code("a.py", SOURCES["a.py"].encode() * 1000)
    monkeypatch.setattr("tasks.load.parse.open.CODE_PARSER", "os:abort")
    assert document("a.py", SOURCES["a.py"].encode()).headings is None


PIECES = [
    "class A {\n", "def f(x):\n", "  ", "}\n", "\n", "# c\n", "// c\n", "/* \u6f22\n", "*/", "@x\n", "end\n", "x = '",
    '"""', "fn f<T>() {\n", "function f() {\n", "(", ";", "\u00e9", "<?php\n", "type T struct {\n", "#[a]\n", "\0",
]  # fmt: skip


@pytest.mark.parametrize("places", [[(5, 3)], [(-1, 3)], [(0, 999)], [(4, 5), (2, 3)]])
def test_places_that_no_text_has_are_not_believed(
    places: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    headings = tuple(Heading(start, end, 1, "x") for start, end in places)
    monkeypatch.setattr(child.SHARED, "parse", lambda *_: Parsed("", headings=headings))
    assert document("a.py", b"def run():\n    return 1\n").headings is None


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SOURCES)), st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_no_text_makes_places_outside_itself_or_across_one_another(name: str, text: str) -> None:
    for found in (definitions(name, text), by_indentation(text).all):
        for one in found:
            assert 0 <= one.start <= one.end <= len(text)
            if one.parent >= 0:
                assert found[one.parent].start <= one.start <= one.end <= found[one.parent].end
        assert [one.start for one in found] == sorted(one.start for one in found)


GUESSED = {
    "a.sql": ("-- of pumps\nCREATE TABLE pump (\n  id int\n);\n\ncreate or replace function run() as\n  select 1;\n"),
    "a.zig": "pub fn run() void {\n  x();\n}\n\nfn other() void {\n}\n",
    "a.lua": "function run(x)\n  return 1\nend\n\nfunction other()\nend\n",
    "a.java": "public class Pump\n{\n    @X\n    private class Inner {\n    }\n}\n\ninterface Other {\n}\n",
    "a.py": (
        "class Pump:\n    def run(self):\n# a remark at the edge\n        return 1\n\n    x = 1\n\n"
        "def other(\n    x\n):\n    pass\n"
    ),
}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.sql", [("pump", -1), ("run", -1)]),
        ("a.zig", [("run", -1), ("other", -1)]),
        ("a.lua", [("run", -1), ("other", -1)]),
        ("a.java", [("Pump", -1), ("Inner", 0), ("Other", -1)]),
        ("a.py", [("Pump", -1), ("run", 0), ("other", -1)]),
    ],
)
def test_lines_tell_roughly_where_definitions_are(name: str, wanted: list[tuple[str, int]]) -> None:
    text = GUESSED[name]
    found = by_indentation(text).all
    assert [(one.title, one.parent) for one in found] == wanted
    ends = [text[one.start : one.end].rstrip().splitlines()[-1].strip() for one in found]
    assert set(ends) <= {");", "select 1;", "}", "end", "return 1", "x = 1", "pass"}
