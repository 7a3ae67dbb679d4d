"""Markdown: kept as it is, for the chunker sees its structure."""

import re

from tasks.load.parse.text import Parsed

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
_SETEXT = re.compile(r"\s*([^\n]+)\n {0,3}=+[ \t]*$", re.MULTILINE)


def parse_markdown(text: str) -> Parsed:
    """Front matter is taken off; the title is its `title`, or the first heading."""
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    if front and (named := _TITLE.search(front.group(1) or "")):
        return Parsed(body, named.group(1).strip("'\""))
    heading = _SETEXT.match(body) or _HEADING.search(body)
    return Parsed(body, heading.group(1).strip() if heading else "")
