"""Of a made document in any format every visible word is read, in order and apart from its neighbours, and no other."""

import importlib
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.load.parse.formats import format_of
from tests.tasks.load.made import KINDS, MADE, STYLES, Block

EXAMPLES = int(os.environ.get("MADE", "6"))  # documents of each format
_WORD = re.compile(r"(?<![^\W_])[wh]\d+x(?![^\W_])")
HEADED = (".csv", ".tsv")  # the name of a column stands before each of its values, where there is no table of it
LINES = st.lists(st.lists(st.sampled_from(STYLES), min_size=1, max_size=4), min_size=1, max_size=4)
DRAWN = st.lists(st.tuples(st.sampled_from(KINDS), LINES, st.integers(0, 5)), min_size=1, max_size=7)


def text_of(suffix: str, content: bytes) -> str:
    parser = format_of(suffix).parser
    if not isinstance(parser, str):
        return parser(content.decode()).text
    module, _, function = parser.partition(":")
    text: str = getattr(importlib.import_module(module), function)(f"a{suffix}", content).text
    return text


def numbered(drawn: list[tuple[str, list[list[str]], int]]) -> tuple[list[Block], list[str]]:
    """The blocks with a word for each style, and those of them that are seen."""
    blocks: list[Block] = []
    words: list[str] = []
    for kind, lines, variant in drawn:
        made: list[list[tuple[str, str]]] = []
        for line in lines:
            made.append([])
            for style in line:
                words.append(f"{'h' if kind == 'hidden' else 'w'}{len(words)}x")
                made[-1].append((style, words[-1]))
        blocks.append(Block(kind, made, variant))
    return blocks, [word for word in words if word[0] == "w"]


@pytest.mark.parametrize("suffix", MADE)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES < 10, suppress_health_check=list(HealthCheck))
@given(drawn=DRAWN.filter(lambda drawn: any(kind != "hidden" for kind, _, _ in drawn)))
def test_what_is_seen_is_read_in_order_and_nothing_else(
    suffix: str, drawn: list[tuple[str, list[list[str]], int]]
) -> None:
    blocks, seen = numbered(drawn)
    read = _WORD.findall(text_of(suffix, MADE[suffix](blocks)))
    assert (list(dict.fromkeys(read)) if suffix in HEADED else read) == seen
