"""The main part of a page, by the page's own marks, without what stands around it on every page of a site."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tasks.load.parse.html import WITHOUT_EVENTS
from tasks.load.parse.isolated import child
from tasks.load.parse.page.nesting import flattened
from tasks.load.parse.text import Parsed

_PARSER = "tasks.load.web.main_text:parse_main"


def main_part(url: str, html: str) -> tuple[str, tuple[str, ...]]:
    """The head and the main part as a page of their own, with a remark on what is left out; the page where none is."""
    parsed = child.SHARED.parse(_PARSER, url, html.encode())
    return (parsed.text, parsed.remarks) if parsed.text else (html, ())


def parse_main(_name: str, content: bytes) -> Parsed:
    """The same, "" where the page marks no main part, or an empty one that a script would fill."""
    text, _ = flattened(content.decode())
    page = LexborHTMLParser(text, scripting=True, options=WITHOUT_EVENTS)
    main, body, head = _main(page), page.body, page.head
    if main is None or body is None or not (words := _words(main)):
        return Parsed("")
    left = _words(body) - words
    remarks = (f"left out: {left:,} {'word' if left == 1 else 'words'} around the main part",) if left > 0 else ()
    return Parsed(f"{head.html if head is not None else ''}{main.html}", remarks=remarks)


def _main(page: LexborHTMLParser) -> LexborNode | None:
    for selector in ("main:not([hidden])", "[role=main]", "article"):
        nodes = page.css(selector)
        if nodes:
            return nodes[0] if len(nodes) == 1 else None
    return None


def _words(node: LexborNode) -> int:
    """Those of scripts and styles do not count, nor do those of navigation, which is told apart."""
    unseen = sum(len(part.text(separator=" ").split()) for part in node.css("script, style, noscript, template, nav"))
    return max(0, len(node.text(separator=" ").split()) - unseen)
