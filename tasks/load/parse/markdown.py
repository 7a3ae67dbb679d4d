"""Markdown: kept as it is, for the chunker sees its structure."""

import re

from tasks.load.parse.text import Parsed
from tasks.markdown import heading_text

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# None tries a stretch of white space in parts: that would take the square of its length.
_TITLE = re.compile(r"^title[ \t]*+:([^\n]*+)", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]++([^\n]++)", re.MULTILINE)
_SETEXT = re.compile(r"\s*+([^\n]++)\n {0,3}=++[ \t]*+$", re.MULTILINE)


def parse_markdown(text: str) -> Parsed:
    """Front matter is taken off; the title is its `title`, or the first heading."""
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    named = _TITLE.search(front.group(1) or "") if front else None
    if named and (title := named.group(1).strip(" \t")):
        return Parsed(body, title.strip("'\""))
    if heading := _SETEXT.match(body):
        return Parsed(body, heading.group(1).strip())
    heading = _HEADING.search(body)
    return Parsed(body, heading_text(heading.group(1)) if heading else "")
