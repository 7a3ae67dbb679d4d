"""Our headings are those that a whole Markdown parser sees, on every page in Markdown that is installed here."""

import os
import re
import sysconfig
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tasks.markdown import find_fences, find_headings
from tasks.titles import LONGEST, plain_markup, plain_title

MORE = os.environ.get("HEADRACE_MARKDOWN", "")  # folders of more pages, apart by colons
READER = MarkdownIt("commonmark").enable("strikethrough")
# What we see otherwise than the library, and why:
DECIDED = {
    "a heading of HTML": "it looks like every other heading; the library leaves it to the browser",
    "a code of an emoji": "`:rocket:` is a picture, and no word; taken out of the library's titles below",
    "a mark of a footnote": "`[^1]` is a number in the air: no word of a title",
    "a list of attributes, a role": "`{ #id }` and `{kbd}` are for a program; taken out of the library's titles below",
    "a picture of HTML": "its description is the title where nothing else stands there",
    "an element that the library passes on": "`<small>` is left out, `List<String>` stays",
    "a merge, a fence or a comment that is not closed as it should be": "tests below",
}


def pages() -> dict[str, str]:
    folders = [Path(sysconfig.get_path("purelib")), *map(Path, filter(None, MORE.split(":")))]
    texts = {
        package.metadata["Name"]: package.metadata.get_payload()
        for package in distributions()
        if "text/markdown" in package.metadata.get("Description-Content-Type", "")
    }
    for folder in folders:
        for path in filter(Path.is_file, folder.rglob("*.md")):
            texts[str(path)] = path.read_text(encoding="utf-8", errors="replace")
    return {name: text for name, text in texts.items() if not text.startswith(("---", "+++"))}


def by_the_library(text: str) -> list[tuple[int, str]]:
    tokens = READER.parse(text)
    return [
        (int(token.tag[1]), plain(tokens[at + 1].children or []))
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0
    ]


def plain(tokens: list[Token]) -> str:
    """The words of a title, by the library alone."""
    texts = [
        " " if token.type in ("softbreak", "hardbreak") else token.content
        for token in tokens
        if token.type not in ("image", "html_inline")
    ]
    words = re.sub(r"(?<!\S):[a-z_]+:(?!\S)|\s\{:? ?#[^{}]*\}$|\{[a-z:]+\}(?=\w)", "", "".join(texts)).split()
    return " ".join(words) or " ".join(token.content for token in tokens if token.type == "image")


_ELEMENT = re.compile(r"<[^<>]*>")  # `Promise<Boolean>`: the library takes it for HTML


def by_us(text: str) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in find_headings(text)]


def kind_of_difference(text: str, ours: tuple[int, str], theirs: list[tuple[int, str]]) -> str:
    level, title = ours
    if f"<h{level}" in text.lower():
        return "a heading of HTML"
    same = [other for number, other in theirs if number == level]
    if "" in same and "<img" in text:
        return "a picture of HTML"
    if any(title == " ".join(other.split("[^")[0].split()) for other in same if "[^" in other):
        return "a mark of a footnote"
    return "another" if title in same or "<" not in title else "an element that the library passes on"


def test_headings_are_those_of_a_whole_markdown_parser() -> None:
    texts = pages()
    differences: Counter[str] = Counter()
    others: list[tuple[str, object]] = []
    count = 0
    for name, text in texts.items():
        ours, theirs = by_us(text), by_the_library(text)
        count += len(theirs)
        shown = {*ours, *((level, " ".join(_ELEMENT.sub("", title).split())) for level, title in ours)}
        missed = [heading for heading in theirs if heading not in shown and heading[1] and "[^" not in heading[1]]
        kinds = [kind_of_difference(text, heading, theirs) for heading in ours if heading not in theirs]
        differences.update(kinds)
        if missed or "another" in kinds:
            others.append((name, missed or [heading for heading in ours if heading not in theirs]))
    assert len(texts) > 50
    assert count > 500
    assert others == []
    assert set(differences) <= set(DECIDED)


CODE = "# no\n"
BLOCKS = {
    "a fence": f"```sh\n{CODE}```",
    "tildes": f"~~~\n{CODE}~~~~",
    "a fence in a fence": f"````md\n```sh\n{CODE}```\n{CODE}````",
    "a fence on a list's mark": f"1. ```bash\n   {CODE}   x\n   ```\n2. more",
    "a fence on a bullet": f"- ```\n  {CODE}  ```",
    "a fence on two marks": f"- 1. ~~~\n     {CODE}     ~~~",
    "a fence in a list": f"- one\n\n  ```\n  {CODE}\n  {CODE}  ```",
    "a fence in a quote": f"> ```\n> {CODE}> ```",
    "a fence in a quote that ends with it": f"> ```\n> {CODE}",
    "a fence with a path": f'```py title="a.py" {{1,2}}\n{CODE}```',
    "a fence whose end is indented": f"```sh\n{CODE}    ```",
    "a fence with words behind its end": f"```sh\n{CODE}``` and that was it, dear reader",
    "a fence with a full stop behind its end": f"```sh\n{CODE}```.",
    "a listing of a list with a fence": f"```md\n1. x\n    ```bash\n    x\n    ```\n{CODE}```",
    "a fence on a list's mark with lines at the margin": "1. ```bash\ninstall it\n```",
    "inline code in three ticks": "```npm install kettle``` puts the tool there.",
    "inline code over lines": "``a\n` b`` c",
    "a comment": f"<!--\n{CODE}\n{CODE}-->",
    "a comment in an element": f"<div>\n<!--\n\n{CODE}-->\n</div>",
    "pre": f"<pre>\n{CODE}\n{CODE}</pre>",
    "pre in an element": f"<div><pre>\n\n{CODE}\n</pre></div>",
    "script": f"<script>\n\n{CODE}</script>",
    "style": f"  <style type='x'>\n{CODE}\n</style>",
    "an element": f"<div>\n{CODE}</div>",
    "an element alone": f"<Custom>\n{CODE}</Custom>",
    "a declaration": f"<!DOCTYPE x\n{CODE}>",
    "an instruction": f"<?php\n{CODE}\n?>",
    "data": f"<![CDATA[\n{CODE}\n]]>",
    "indented code": f"    {CODE}\n\t{CODE}",
    "a table": "| a |\n|---|\n| b |",
    "a table without bars": "a | b\n--- | ---\nc | d",
    "a list and a rule": "- item\n---",
    "a quote and a rule": "> quote\n---",
    "rules": "***\n\n---\n\n- - -",
    "a note": f"!!! note\n    {CODE}",
    "a container": "::: tip\nwords\n:::",
    "a hashtag": "#hashtag and #another",
    "a definition of a link": "[x]: https://example.invalid '# no'",
}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_hides_its_own_headings_and_no_others(block: str) -> None:
    text = f"# One\n\nbefore\n\n{BLOCKS[block]}\n\n## Two\n\nSetext\n------\n\n{BLOCKS[block]}\n\n### Three\n"
    assert by_us(text) == [(1, "One"), (2, "Two"), (2, "Setext"), (3, "Three")]


# What is closed in a hurry is guessed at by what follows: with every neighbour, nobody can.
CLOSED = sorted(name for name in BLOCKS if " end" not in name and "margin" not in name)


@given(st.lists(st.sampled_from(CLOSED), max_size=6))
def test_blocks_in_any_order_hide_nothing(names: list[str]) -> None:
    text = "".join(f"## Title {number}\n\n{BLOCKS[name]}\n\n" for number, name in enumerate(names))
    assert by_us(text) == [(2, f"Title {number}") for number, _ in enumerate(names)]


def test_a_fence_is_closed_by_one_as_long_or_longer() -> None:
    text = "a\n~~~~\n~~~\n# no\n~~~~~ \n# Yes\n```\n# no\n"
    assert [text[start:end] for start, end in find_fences(text, 0, len(text))] == [
        "~~~~\n~~~\n# no\n~~~~~ ",
        "```\n# no\n",
    ]
    assert [heading.title for heading in find_headings(text)] == ["Yes"]


def test_a_fence_that_was_closed_in_a_hurry_does_not_swallow_the_next() -> None:
    text = "```sh\na\n    ```\n\n## One\n\n```py\nb\n```\n\n## Two\n"
    assert [text[start:end] for start, end in find_fences(text, 0, len(text))] == [
        "```sh\na\n    ```",
        "```py\nb\n```",
    ]


@pytest.mark.parametrize("block", [name for name in BLOCKS if "fence" in name and "inline" not in name])
def test_a_fence_is_one_piece_for_the_chunker(block: str) -> None:
    text = f"before\n\n{BLOCKS[block]}\n\nafter\n"
    [(start, end)] = find_fences(text, 0, len(text))
    assert "no" in text[start:end] or "install" in text[start:end]
    assert "before" not in text[start:end]
    assert "after" not in text[start:end]


@pytest.mark.parametrize(
    "line",
    [
        *("**Bold:** it is", "*so*", "#hashtag", "1.5 is a number", "-5 degrees", "+1", "_x_", "**", "word"),
        *("* item", "- item", "+", "#", "# One", "12. item", "3) item", "> quote", "***", "_ _ _", "- - -"),
        *("one\ntwo", "one  \n  two *x*", "- item\ntwo", "> quote\ntwo", "    code\ntwo", "one\n    two", "***\ntwo"),
    ],
)
@pytest.mark.parametrize("under", ["===", "---"])
def test_what_is_underlined_is_a_title_where_the_library_says_so(line: str, under: str) -> None:
    text = f"before\n\n{line}\n{under}\n\nafter\n"
    if line != "    code\ntwo":  # there the code ends and a title begins, in one paragraph for everybody else
        assert by_us(text) == by_the_library(text)


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ('<h1 align="center">\n  <img src="x" alt="Logo"><br>\n  The <i>X</i> &amp; co\n</h1>\n', [(1, "The X & co")]),
        ("<h1>\n\nTitle\n\n</h1>\n\n## Two\n", [(1, "Title"), (2, "Two")]),
        ('<div align="center">\n<H2 id=x>Two</H2>\n<h3>Three</h3></div>\n', [(2, "Two"), (3, "Three")]),
        ('<p align="center"><img alt="Logo"></p>\n<h1><img alt="Pump" src="x"></h1>\n', [(1, "Pump")]),
        ("```html\n<h1>no</h1>\n```\n\n<h1>Never closed\n\n# One\n", [(1, "One")]),
    ],
)  # fmt: skip
def test_headings_of_html_count(text: str, headings: list[tuple[int, str]]) -> None:
    assert by_us(text) == headings


@pytest.mark.parametrize(
    ("marked", "title"),
    [
        ("Guide {#guide-top .unnumbered}", "Guide"),
        ("Guide {: #id }", "Guide"),
        ("Guide {-}", "Guide"),
        ("Guide {/* #id */}", "Guide"),
        ("Guide { #id data-toc='x y' }", "Guide"),
        ("Guide <!-- omit in toc -->", "Guide"),
        ("**Bold** and [a link](https://example.invalid/x) and `code` {#two}", "Bold and a link and code"),
        ("Emoji :rocket: 🚀 heading :+1:", "Emoji 🚀 heading"),
        ("At 10:30:45 in std::vector::size", "At 10:30:45 in std::vector::size"),
        ("snake_case and _so_ and __init__", "snake_case and so and init"),
        ("`snake_case` `{x}` `:y:` `<z>`", "snake_case {x} :y: <z>"),
        ("Use of {placeholder}", "Use of {placeholder}"),
        ("Vec&lt;T&gt; &amp; List<String>", "Vec<T> & List<String>"),
        ("5.1 <small>April</small><br>now", "5.1 April now"),
        ("![Logo](x.png)", "Logo"),
        ("![badge](x.png) Pump", "Pump"),
        ("<img src='x' alt='Pump'>", "Pump"),
        ("[1.2.3] - 2020", "1.2.3 - 2020"),
        ("[Unreleased]", "[Unreleased]"),
        ("~~old~~ new[^1]", "old new"),
        ("[[Page|Words]] and [[Page]]", "Words and Page"),
        ("{func}`open` it", "open it"),
        (r"\*stars\* \# and \_", "*stars* # and _"),
        ("C#", "C#"),
        ("Title <Badge type='tip' text='x' />", "Title"),
    ],
)
def test_a_title_is_clean_text(marked: str, title: str) -> None:
    assert plain_title(marked, ["1.2.3"]) == title
    assert by_us(f"## {marked} ##\n\n[1.2.3]: x\n") == [(2, title)]


def test_a_title_without_end_is_cut() -> None:
    assert len(plain_title("many words " * 9_000)) <= LONGEST + 2
    assert len(plain_markup("<b>many</b> words " * 9_000)) <= LONGEST + 2
    assert len(plain_title("*many* words " * 9_000)) <= LONGEST + 2


SHAPES: dict[str, Callable[[int], str]] = {
    "a line of backticks": lambda n: "`" * n,
    "a line of backticks in a list": lambda n: "- " + "`" * n,
    "ticks and blanks": lambda n: "``` ` " * (n // 6),
    "fences never closed in a list": lambda n: "- ```x\n" * (n // 7),
    "fences in quotes": lambda n: "> ```\n" * (n // 6),
    "indented fences": lambda n: "\n\n     ```x\ny" * (n // 13),
    "hurried ends": lambda n: "```a\n    ```\n" * (n // 12),
    "ends that nothing decides": lambda n: "```::: a\n" * (n // 9),
    "a hurried end and indented ones": lambda n: "```\n```. a\n" + "    ```. b\n```. c\n" * (n // 20),
    "ends with words": lambda n: "```a b c d e\n" * (n // 13),
    "comments never closed": lambda n: "x <!-- " * (n // 7),
    "elements": lambda n: "<div>\n\n" * (n // 7),
    "headings never closed": lambda n: "<h1>" * (n // 4),
    "underlines in a list": lambda n: "- a\n" + "x\n--\n" * (n // 5),
    "a paragraph and underlines": lambda n: "word\n" * (n // 10) + "x\n---\n" * (n // 12),
    "brackets": lambda n: "# " + "[" * n,
    "headings with brackets": lambda n: "# [a]\n" * (n // 6),
    "stars": lambda n: "# " + "*a" * (n // 2),
    "line ends": lambda n: "\n" * n,
    "list marks": lambda n: "- " * (n // 2) + "```",
    "quote marks": lambda n: ">" * n + "```",
    "number signs": lambda n: "#" * n,
}


def best_of_three(text: str) -> float:
    """Seconds of the processor."""
    times: list[float] = []
    for _ in range(3):
        started = time.process_time()
        list(find_headings(text))
        list(find_fences(text, 0, len(text)))
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_time_is_linear_in_the_length(shape: str) -> None:
    short, long = SHAPES[shape](8_000), SHAPES[shape](64_000)
    assert best_of_three(long) < 0.02 + 32 * best_of_three(short)  # 8 times the text; the square would be 64 times


def test_a_title_without_a_line_feed_behind_it_is_whole() -> None:
    assert [heading.title for heading in find_headings("# Alpha")] == ["Alpha"]
    assert [heading.title for heading in find_headings("a\n\nBeta\n====")] == ["Beta"]
