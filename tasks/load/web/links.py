"""Where a page leads, read in the process for parsers: a page may be made to keep any reader busy."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

from selectolax.lexbor import LexborHTMLParser

from tasks.load.declared import declared_encoding
from tasks.load.decode import decode
from tasks.load.parse.html import WITHOUT_EVENTS
from tasks.load.parse.isolated import child
from tasks.load.parse.page.nesting import flattened
from tasks.load.parse.text import Parsed
from tasks.load.web.address import spelled

_PARSER = "tasks.load.web.links:parse_links"
_UNSEEN = str.maketrans("", "", "\t\n\r")  # in a URL, as browsers read it
_LINKS = "a[href], area[href], frame[src], iframe[src], meta[http-equiv=refresh i]"


class Links(NamedTuple):
    """`canonical` is what the page says its address is, "" for nothing; `targets` are in order, each once.

    `robots` are its rules for them, as X-Robots-Tag would have them.
    """

    canonical: str
    targets: list[str]
    robots: Sequence[str] = ()


def html_of(url: str, content: bytes, charset: str) -> str:
    """The page's text, by the encoding that the server names, else by its own."""
    return decode(url, content, charset or declared_encoding(".html", content)).text


def links_in(url: str, content: bytes, charset: str = "") -> Links:
    """The absolute URLs on the page, which stands at `url`; DocumentError where it defeats its parser."""
    html = html_of(url, content, charset)
    base, canonical, robots, *targets = child.SHARED.parse(_PARSER, url, html.encode()).text.split("\n")
    base = _joined(url, base) or url
    links = dict.fromkeys(link for target in targets if (link := _joined(base, target)))
    return Links(_joined(base, canonical), [*links], robots.split("\t"))


def parse_links(_name: str, content: bytes) -> Parsed:
    """The page's base, its canonical address, its rules for robots and its links as they are written, a line each."""
    text, _ = flattened(content.decode())
    page = LexborHTMLParser(text, scripting=True, options=WITHOUT_EVENTS)
    written = [_first(page, "base[href]"), _first(page, "link[rel~=canonical i][href]"), ""]
    rules = [(node.attributes.get("name"), node.attributes.get("content")) for node in page.css("meta[name][content]")]
    robots = "\t".join(" ".join(f"{name}: {rule}".split()) for name, rule in rules if name and rule)
    for node in page.css(_LINKS):
        attributes = node.attributes
        written.append(attributes.get("href") or attributes.get("src") or _refreshed(attributes.get("content") or ""))
    lines = [href.translate(_UNSEEN).strip() for href in written]
    lines[2] = robots
    return Parsed("\n".join(lines))


def _first(page: LexborHTMLParser, selector: str) -> str:
    node = page.css_first(selector)
    return (node.attributes.get("href") or "") if node is not None else ""


def _refreshed(content: str) -> str:
    """The address in `5; url=next.html`."""
    name, equals, target = content.partition(";")[2].partition("=")
    return target.strip(" '\"") if equals and name.strip().lower() == "url" else ""


def _joined(base: str, href: str) -> str:
    """The absolute URL without its fragment; "" for what is none of the web's."""
    try:
        url = urldefrag(urljoin(base, href)).url if href else ""
    except ValueError:
        return ""
    return url if spelled(url) else ""
