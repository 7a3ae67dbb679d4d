"""reStructuredText: kept as it is, for the chunker sees its structure."""

import re

from tasks.load.parse.text import Parsed
from tasks.places import Extent

_TITLE = re.compile(r"^(\S[^\n]*+)\n([!-/:-@\[-`{-~])\2{2,}+[ \t]*+$", re.MULTILINE)
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}$")


def parse_rst(text: str) -> Parsed:
    """The text as it is; the title is the first line that is underlined."""
    titles = (match.group(1).rstrip(" \t") for match in _TITLE.finditer(text))
    title = next((title for title in titles if not _ADORNMENT.match(title)), "")
    return Parsed(text, title, extent=Extent(line=1))
