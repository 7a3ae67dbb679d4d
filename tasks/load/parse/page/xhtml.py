"""Pages of XML's spelling, in which any element may be closed where it begins."""

import re

from tasks.load.parse.page.names import names

_VOID = names("area base br col embed hr img input link meta param source track wbr")
_CLOSED = re.compile(r"<([A-Za-z][\w:.-]*+)((?:\s++[^\s=<>/\"']++(?:\s*=\s*(?:\"[^\"]*+\"|'[^']*+'))?)*+)\s*+/>")


def with_end_tags(text: str) -> str:
    """The page with `<a id="x"/>` written out, which HTML takes for a begin without an end."""
    return _CLOSED.sub(lambda tag: tag[0] if tag[1].lower() in _VOID else f"<{tag[1]}{tag[2]}></{tag[1]}>", text)
