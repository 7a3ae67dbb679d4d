"""HTML to Markdown, so that headings, lists, tables and code keep their structure."""

import re

from bs4 import BeautifulSoup, Comment
from markdownify import ATX, MarkdownConverter

from tasks.load.parse.text import Parsed

_INVISIBLE = ("script", "style", "noscript", "template", "svg", "head", "iframe", "object")
_BLANK_LINES = re.compile(r"\n{3,}")


def parse_html(_name: str, content: bytes) -> Parsed:
    """The page as Markdown; `content` is UTF-8, whatever the page says of itself."""
    return html_to_markdown(content.decode())


def html_to_markdown(text: str) -> Parsed:
    """What a reader would see; nothing is run, fetched or expanded."""
    page = BeautifulSoup(text, "html.parser")
    title = " ".join(page.title.get_text().split()) if page.title else ""
    for element in page.find_all(_INVISIBLE):
        element.decompose()
    for element in page.select("[hidden], [aria-hidden=true], [style*='display:none'], [style*='display: none']"):
        element.decompose()
    for comment in page.find_all(string=lambda node: isinstance(node, Comment)):
        comment.extract()
    body = page.select_one("main") or page.body or page
    converter = MarkdownConverter(
        heading_style=ATX, escape_asterisks=False, escape_underscores=False, strip=["img", "a"]
    )
    markdown: str = converter.convert_soup(body)
    heading = page.find("h1")
    return Parsed(
        _BLANK_LINES.sub("\n\n", markdown).strip() + "\n",
        title or (heading.get_text(" ", strip=True) if heading else ""),
    )
