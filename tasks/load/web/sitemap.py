"""Sitemaps, read in the process for parsers: URLs of pages, each with what it says of their last change."""

from collections import deque
from collections.abc import Callable
from io import BytesIO
from urllib.parse import urljoin

from tasks.dates import is_date
from tasks.errors import DocumentError
from tasks.load.declared import declared_encoding
from tasks.load.decode import decode
from tasks.load.parse.isolated import child
from tasks.load.parse.text import Parsed
from tasks.load.web.address import spelled
from tasks.load.web.fetch import unpacked

SITEMAP_BYTES = 50 * 1024 * 1024  # what the protocol allows, unpacked
MOST_SITEMAPS = 1_000
_PARSER = "tasks.load.web.sitemap:parse_sitemap"
_INDEX, _PAGES = "index", "pages"


def read_sitemaps(
    url: str, content_of: Callable[[str], bytes], most: int, takes: Callable[[str], bool]
) -> tuple[dict[str, str], str]:
    """The pages that the sitemap names, or those that it leads to name, and why there may be more.

    What `content_of` raises ends it, for the pages of a sitemap that cannot be read are unknown.
    """
    pages: dict[str, str] = {}
    queue, seen = deque([url]), {url}
    while queue:
        sitemap = queue.popleft()
        kind, entries = _entries(sitemap, content_of(sitemap))
        if kind == _PAGES:
            pages.update((link, date) for link, date in entries.items() if takes(link))
        else:
            inner = [link for link in entries if link not in seen]
            seen.update(inner)
            queue.extend(inner)
        if len(pages) > most:
            return dict([*pages.items()][:most]), f"more than {most:,} pages, as max_pages says"
        if len(seen) > MOST_SITEMAPS:
            return pages, f"more than {MOST_SITEMAPS:,} sitemaps"
    return pages, ""


def parse_sitemap(name: str, content: bytes) -> Parsed:
    """Whether it is an index, then a line for each entry: its URL and the last change, with a tab between."""
    from defusedxml.ElementTree import iterparse

    lines: list[str] = []
    depth = 0
    try:
        for event, element in iterparse(BytesIO(content), ("start", "end")):
            tag = _local(element.tag)
            if event == "start":
                if not depth and tag not in ("urlset", "sitemapindex"):
                    raise DocumentError(
                        "wrong-type", f"{name} is no sitemap: it begins with <{tag}>, expected <urlset>"
                    )
                lines = lines or [_INDEX if tag == "sitemapindex" else _PAGES]
                depth += 1
                continue
            depth -= 1
            if depth == 1:
                lines.append("\t".join(_texts(element).get(key, "") for key in ("loc", "lastmod")))
                element.clear()
    except (SyntaxError, ValueError) as error:
        raise DocumentError("unreadable", f"{name} is no XML: {error}") from error
    return Parsed("\n".join(lines))


def _entries(url: str, content: bytes) -> tuple[str, dict[str, str]]:
    if content.startswith(b"\x1f\x8b"):
        content = unpacked(url, content, SITEMAP_BYTES)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        kind, *lines = child.SHARED.parse(_PARSER, url, content).text.split("\n")
    else:
        kind, lines = _PAGES, decode(url, content, declared_encoding("", content)).text.split("\n")
        wrong = next((line for line in lines if line.strip() and not spelled(line)), "")
        if wrong or not content.strip():
            raise DocumentError("wrong-type", f"{url} is no sitemap: expected XML, or a URL a line")
    entries = (line.partition("\t") for line in lines)
    return kind, {link: _date(date) for loc, _, date in entries if (link := _absolute(url, loc))}


def _absolute(url: str, loc: str) -> str:
    """The protocol wants absolute addresses, and not every program knows; "" for what is none."""
    try:
        return spelled(urljoin(url, loc)) if loc else ""
    except ValueError:
        return ""


def _texts(entry: object) -> dict[str, str]:
    return {_local(part.tag): " ".join((part.text or "").split()) for part in entry}  # type: ignore[attr-defined]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2].lower()


def _date(text: str) -> str:
    return text if is_date(text) else ""
