"""Search results can be read on any terminal, and obey nobody who wrote a document."""

import os
import pty
from dataclasses import replace
from io import StringIO

import pytest

from tasks.console.hits import hits_text, telling_words
from tasks.console.terminal import emphasised, is_styled
from tasks.search.query import Found

PROSE = " ".join(f"Sentence {number} speaks of nothing." for number in range(60))


def found(text: str, document: str = "docs:guide.md", **metadata: object) -> Found:
    return Found(0.73456, document, text, {"position": 2, "heading": "Guide > Keys", **metadata})


def test_a_hit_says_in_one_line_where_it_stands() -> None:
    text = hits_text([found(f"Rotate it.{' ' * number}") for number in range(10)], "key", 80)
    first, passage = text.splitlines()[:2]
    assert first == " 1  0.735  docs:guide.md, chunk 3, Guide > Keys"
    assert passage == "    Rotate it."
    assert "\n\n10  0.735  docs:guide.md" in text


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        ({"page": [12, 13], "rectangle": ["12 1 2 3 4"]}, "p. 12-13"),
        ({"page": [1]}, "p. 1"),
        ({"slide": [3]}, "slide 3"),
        ({"sheet": ["Costs"], "cells": "A2:F9"}, "sheet Costs cells A2:F9"),
        ({"time": "00:01:02.500 --> 00:01:04.000"}, "at 00:01:02.500 --> 00:01:04.000"),
        ({"line": 7, "last_line": 12}, "lines 7-12"),
        ({"line": 7, "last_line": 7}, "line 7"),
        ({"width": 20, "height": 10}, "20 x 10"),
    ],
)
def test_a_hit_says_where_it_stands_in_its_file(metadata: dict[str, object], place: str) -> None:
    assert hits_text([found("Text.", "docs:a.b", **metadata)], "key", 80).startswith(
        f"1  0.735  docs:a.b, {place}, Guide > Keys\n"
    )


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("text", [PROSE, "回転するキー" * 60, "x" * 500, "def f():\n" + "    return 1 + 1\n" * 20])
def test_no_line_of_a_text_is_wider_than_the_terminal(text: str, width: int) -> None:
    from rich.cells import cell_len

    for document in ("docs:guide.md", "docs:guide.py"):
        lines = hits_text([found(text, document)], "key", width).splitlines()[1:]
        assert 1 <= len(lines) <= 6
        assert all(line.startswith("    ") and cell_len(line) <= width for line in lines)


def test_those_lines_are_shown_that_fit_the_query() -> None:
    text = f"{PROSE} Here the key is rotated. {PROSE}"
    shown = hits_text([found(text)], "How do I rotate the key?", 80)
    assert "Here the key is rotated." in " ".join(shown.split())
    assert shown.splitlines()[1].startswith("    … ")
    assert shown.endswith(" …")


def test_items_and_lines_of_code_stay_apart() -> None:
    assert "    - one\n    - two" in hits_text([found("All of\nthem:\n- one\n- two")], "x", 80)
    assert "    All of them:" in hits_text([found("All of\nthem:\n- one\n- two")], "x", 80)
    assert "    def f():\n        return 1" in hits_text([found("def f():\n    return 1", "docs:f.py")], "x", 80)
    assert "    ```\n    a = 1\n    b = 2\n" in hits_text([found("```\na = 1\nb = 2\n```")], "x", 80)


def test_what_a_terminal_would_obey_reaches_it_nowhere() -> None:
    evil = "\x1b[31mred\x07 \u202eback \x9b1m"
    shown = hits_text([found(evil, f"docs:{evil}\nlie.md", heading=evil)], evil, 80)
    assert len(shown.splitlines()) == 2
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & {*shown}


def test_words_that_tell_nothing_do_not_stand_out() -> None:
    assert telling_words("How do I rotate the Key of the key?") == ["rotate", "key"]
    assert telling_words("to be") == ["to", "be"]
    assert emphasised("Keys: rotate (monkey) KEY.", ["key", "rotate"]) == (
        "\x1b[1;33mKeys\x1b[0m: \x1b[1;33mrotate\x1b[0m (monkey) \x1b[1;33mKEY\x1b[0m."
    )
    assert emphasised("as it is", []) == "as it is"


def test_only_a_terminal_that_wants_it_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        assert is_styled(terminal)
        monkeypatch.setenv("NO_COLOR", "1")
        assert not is_styled(terminal)
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "dumb")
        assert not is_styled(terminal)
        monkeypatch.setenv("TERM", "xterm")
    os.close(master)
    assert not is_styled(StringIO())
    assert not is_styled(None)


def test_the_same_text_is_shown_once_with_all_its_places() -> None:
    first = replace(found("Rotate it.", "docs:a.md"), copies=[found("Rotate it.", "docs:c.md", page=[3])])
    shown = hits_text([first, found("Other.", "docs:b.md")], "key", 80)
    assert "    Rotate it.\n    the same: docs:c.md, p. 3, Guide > Keys\n\n2  " in shown


def test_neighbours_that_were_asked_for_are_shown_whole() -> None:
    hit = replace(found(PROSE), before=["It begins here."], after=["Here it ends."])
    shown = " ".join(hits_text([hit], "key", 80).split())
    assert f"It begins here. {PROSE} Here it ends." in shown
