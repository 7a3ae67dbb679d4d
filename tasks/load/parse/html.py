"""HTML to Markdown, so that headings, lists, tables and code keep their structure."""

import re
from collections import Counter
from collections.abc import Iterator

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from tasks.load.parse.page.elements import BEGINS
from tasks.load.parse.page.flow import Block, joined
from tasks.load.parse.page.inline import one_line
from tasks.load.parse.page.nesting import flattened
from tasks.load.parse.page.reader import Reader
from tasks.load.parse.page.sheet import Sheet
from tasks.load.parse.page.xhtml import with_end_tags
from tasks.load.parse.properties import properties_of
from tasks.load.parse.text import Parsed

FEW_WORDS = 10
WITHOUT_EVENTS = LexborDocumentOptions.WO_EVENTS  # what listens to them takes the square of a list of options
_UNREAD = {
    "iframe": "frame",
    "frame": "frame",
    "object": "object",
    "embed": "object",
    "applet": "object",
    "audio": "recording",
    "video": "video",
    "canvas": "drawing",
}
_APPS = '[id="root"], [id="app"], [id="__next"], [id="__nuxt"], app-root'


def parse_html(_name: str, content: bytes) -> Parsed:
    """The page as Markdown; `content` is UTF-8, whatever the page says of itself."""
    return html_to_markdown(content.decode())


def html_to_markdown(text: str) -> Parsed:
    """What a reader would see; nothing is run, fetched or expanded."""
    text, remarks = flattened(with_end_tags(text) if text[:200].lstrip().startswith("<?xml") else text)
    page = LexborHTMLParser(text, scripting=True, options=WITHOUT_EVENTS)
    root = page.root
    if root is None:
        return Parsed("", remarks=remarks)
    sheet = Sheet([style.text() for style in page.css("style")])
    reader = Reader(BEGINS, sheet)
    blocks = reader.read(root)
    if reader.navigation_words and not any(block.form != "heading" and not block.is_aside for block in blocks):
        reader = Reader(BEGINS, sheet, is_whole=True)
        blocks = reader.read(root)
    if page.css_first("frameset") is not None:
        blocks += [Block(html_to_markdown(inner.text()).text.strip()) for inner in page.css("noframes")]
    while blocks and blocks[-1].form == "rule":
        blocks.pop()
    markdown, headings = joined(blocks)
    poverty = _poverty(page, len(markdown.split()), reader.unread["img"])
    remarks = (*remarks, *_remarks(reader), *poverty)
    return Parsed(markdown, _title(page), headings=headings, remarks=remarks, properties=properties_of(_stated(page)))


def _stated(page: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    """What the page's head says of it: `author`, `dcterms.created`, `article:published_time` and the like."""
    for node in page.css("meta[content]"):
        name = node.attributes.get("name") or node.attributes.get("property") or ""
        yield re.split("[.:]", name)[-1], node.attributes.get("content") or ""


def _title(page: LexborHTMLParser) -> str:
    """What the window is called, or the first heading, or what the page is called where it is shared."""
    for node in page.css("title"):
        if not _is_drawn(node) and (title := one_line(node.text())):
            return title
    for node in page.css("h1"):
        if title := _heading(node):
            return title
    shared = page.css_first('meta[property="og:title"]')
    return one_line((shared.attributes.get("content") or "") if shared is not None else "")


def _heading(node: LexborNode) -> str:
    blocks = Reader(BEGINS, Sheet(())).read(node)
    return next((block.flat for block in blocks if block.form == "heading"), "")


def _is_drawn(node: LexborNode) -> bool:
    """Whether it names a part of a drawing."""
    parent = node.parent
    while parent is not None and parent.tag not in ("svg", "head", "body", "html"):
        parent = parent.parent
    return parent is not None and parent.tag == "svg"


def _remarks(reader: Reader) -> list[str]:
    remarks = list(reader.remarks)
    if reader.navigation_words:
        remarks.append(f"left out: navigation, {_counted(reader.navigation_words, 'word')}")
    if reader.sheet_words:
        remarks.append(f"left out: {_counted(reader.sheet_words, 'word')} that the page's own style hides")
    if reader.silent_words:
        remarks.append(f"left out: {_counted(reader.silent_words, 'word')} marked as decoration (aria-hidden)")
    shown: Counter[str] = Counter()
    for tag, count in reader.unread.items():
        shown[_UNREAD.get(tag, "")] += count
    if unread := [_counted(count, noun) for noun, count in shown.items() if noun]:
        remarks.append(f"not read: {', '.join(unread)}")
    return remarks


def _poverty(page: LexborHTMLParser, words: int, pictures: int) -> list[str]:
    """Why the page has hardly any text."""
    if words >= FEW_WORDS:
        return []
    forward = page.css_first('meta[http-equiv="refresh" i]')
    if forward is not None and "url" in (forward.attributes.get("content") or "").lower():
        return ["the page only forwards to another"]
    if page.css_first("script") is not None and (not words or page.css_first(_APPS) is not None):
        return ["the page is made by JavaScript, which is not run"]
    return [f"{_counted(pictures, 'picture')} and no text"] if pictures and not words else []


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
