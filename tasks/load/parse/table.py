"""Tables in Markdown."""

from collections.abc import Sequence

LINE_BREAK = "<br>"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, and one below the first, which is the head; short rows are filled up."""
    width = max(map(len, rows), default=0)
    lines = ["| " + " | ".join([*map(_cell, row), *[""] * (width - len(row))]) + " |" for row in rows]
    return [*lines[:1], "|" + " --- |" * width, *lines[1:]] if width else []


def _cell(text: str) -> str:
    return text.strip().replace("|", r"\|").replace("\n", LINE_BREAK)
