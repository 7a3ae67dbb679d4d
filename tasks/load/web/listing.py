"""The folders of a web server, as its own pages of links show them."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from tasks.load.paths import is_relative
from tasks.load.url_root import Entries
from tasks.load.web.fetch import Fetcher, Limits
from tasks.load.web.links import links_in

LISTED = 50_000
DEPTH = 20
LISTING_SECONDS = 600.0
PAGE = Limits()


def find_pages(fetcher: Fetcher, root: str) -> tuple[Entries, str]:
    """Everything that the folders below `root` link to below it, and why that is not all ("" where it is).

    A folder is an address that ends in a slash; its page is read for its links alone, as a directory listing.
    FileNotFoundError where there is no such page; another page that is gone is simply not there any more.
    """
    name = urlsplit(root).path.rpartition("/")[2]
    if PurePosixPath(name).suffix and is_page(fetcher, root):
        return {root: {}}, ""
    walk = _Walk(fetcher, root)
    walk.visit(f"{root}/", 0)
    while walk.folders and not walk.limit:
        with contextlib.suppress(FileNotFoundError):
            walk.visit(*walk.folders.pop())
    return walk.entries, walk.limit


def is_page(fetcher: Fetcher, url: str) -> bool:
    """Whether a single page is there: no folder, whose address ends in a slash."""
    try:
        return not fetcher.get(url, PAGE, is_wanted=False).url.endswith("/")
    except FileNotFoundError:
        return False


class _Walk:
    """A listing on its way; it ends at the first limit, for an endless calendar has no last page."""

    def __init__(self, fetcher: Fetcher, root: str) -> None:
        self.entries: dict[str, Mapping[str, Any]] = {}
        self.folders: list[tuple[str, int]] = []
        self._fetcher = fetcher
        self._root = root
        self._seen = {f"{root}/"}
        self._end = time.monotonic() + LISTING_SECONDS

    def visit(self, folder: str, depth: int) -> None:
        for url in links_in(folder, self._fetcher.get(folder, PAGE).content).targets:
            if not is_below(self._root, url):
                continue
            if not url.endswith("/"):
                self.entries[url] = {}
            elif url not in self._seen:
                self._seen.add(url)
                self.folders.append((url, depth + 1))

    @property
    def limit(self) -> str:
        if len(self.entries) + len(self._seen) > LISTED:
            return f"more than {LISTED:,} links"
        if any(depth > DEPTH for _, depth in self.folders):
            return f"folders more than {DEPTH} deep"
        return f"more than {LISTING_SECONDS:g} s of listing" if time.monotonic() > self._end else ""


def is_below(root: str, url: str) -> bool:
    """Whether the URL names something below the root, also after a server has taken its escapes and dots seriously."""
    inside = url.removeprefix(f"{root}/")
    path = unquote(inside.partition("?")[0].partition("#")[0]).removesuffix("/")
    return inside != url and "\\" not in path and is_relative(path)
