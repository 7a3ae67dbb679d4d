"""Markdown: kept as it is, for the chunker sees its structure."""

import re

from tasks.load.parse.text import Parsed
from tasks.markdown import find_headings
from tasks.places import Extent

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# None tries a stretch of white space in parts: that would take the square of its length.
_TITLE = re.compile(r"^title[ \t]*+:([^\n]*+)", re.MULTILINE | re.IGNORECASE)


def parse_markdown(text: str) -> Parsed:
    """The text without its front matter; the title is its `title`, or the first heading."""
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    extent = Extent(len(text) - len(body), 1 + text.count("\n", 0, len(text) - len(body)))
    named = _TITLE.search(front.group(1) or "") if front else None
    if named and (title := named.group(1).strip(" \t")):
        return Parsed(body, title.strip("'\""), extent=extent)
    title = next((heading.title for heading in find_headings(body) if heading.title), "")
    return Parsed(body, title, extent=extent)
