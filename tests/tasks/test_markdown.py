"""Our headings are those that a whole Markdown parser sees, on every Markdown description of an installed package."""

from importlib.metadata import distributions

import pytest
from markdown_it import MarkdownIt

from tasks.markdown import find_fences, find_headings


def pages() -> dict[str, str]:
    return {
        package.metadata["Name"]: package.metadata.get_payload()
        for package in distributions()
        if "text/markdown" in package.metadata.get("Description-Content-Type", "")
    }


def by_the_library(text: str) -> list[tuple[int, str]]:
    tokens = MarkdownIt("commonmark").parse(text)
    return [
        (int(token.tag[1]), " ".join(tokens[at + 1].content.split()))
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0
    ]


def by_us(text: str) -> list[tuple[int, str]]:
    return [(heading.level, " ".join(heading.title.split())) for heading in find_headings(text)]


def test_headings_are_those_of_a_whole_markdown_parser() -> None:
    texts = pages()
    headings = {name: (by_us(text), by_the_library(text)) for name, text in texts.items()}
    assert len(texts) > 50
    assert sum(len(theirs) for _, theirs in headings.values()) > 500
    assert {name: both for name, both in headings.items() if both[0] != both[1]} == {}


def test_a_fence_is_closed_by_one_as_long_or_longer() -> None:
    text = "a\n~~~~\n~~~\n# no\n~~~~~ \n# Yes\n```\n# no\n"
    assert [text[start:end] for start, end in find_fences(text, 0, len(text))] == [
        "~~~~\n~~~\n# no\n~~~~~ ",
        "```\n# no\n",
    ]
    assert [heading.title for heading in find_headings(text)] == ["Yes"]


@pytest.mark.parametrize(
    "line",
    [
        *("**Bold:** it is", "*so*", "#hashtag", "1.5 is a number", "-5 degrees", "+1", "_x_", "**", "word"),
        *("* item", "- item", "+", "#", "# One", "12. item", "3) item", "> quote", "***", "_ _ _", "- - -"),
    ],
)
@pytest.mark.parametrize("under", ["===", "---"])
def test_what_is_underlined_is_a_title_where_the_library_says_so(line: str, under: str) -> None:
    text = f"before\n\n{line}\n{under}\n\nafter\n"
    assert by_us(text) == by_the_library(text)
