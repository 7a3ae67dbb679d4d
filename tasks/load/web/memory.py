"""What the pages of a site said when they were asked last, so that a server need not say it again."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tasks.dates import instant

FORM = 2
TRUSTED_AFTER_SECONDS = 172_800.0  # a date without a time may be any hour of its day, in any time zone


class Page(NamedTuple):
    """An answer, without its content.

    `suffix` says what reads the content, "" that nothing does; `target` is where a redirect leads. `listed` is what the
    sitemap said of its last change, `dated` when the content changed as far as anybody said; `seen` is when it was
    asked, in seconds since 1970. `is_private`: it asks to be left out of every index.
    """

    digest: str = ""
    suffix: str = ""
    charset: str = ""
    etag: str = ""
    modified: str = ""
    canonical: str = ""
    target: str = ""
    listed: str = ""
    dated: str = ""
    seen: float = 0.0
    is_private: bool = False
    links: tuple[str, ...] = ()

    @property
    def validators(self) -> dict[str, str]:
        """Headers with which a server may answer 304."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in headers.items() if value}

    def vouched(self, lastmod: str) -> bool:
        """Whether the sitemap says that it has not changed since it was asked."""
        moment = instant(lastmod)
        is_old = moment is not None and self.seen - moment.timestamp() > TRUSTED_AFTER_SECONDS
        return bool(self.digest) and self.listed == lastmod and is_old


Pages = Mapping[str, Page]


def end_of(pages: Pages, url: str) -> str:
    """Where the redirects lead that begin at the URL; the URL itself where they lead in a circle."""
    end = url
    for _ in range(len(pages)):
        target = pages[end].target if end in pages else ""
        if not target or target == url:
            break
        end = target
    return end


def packed(pages: Pages, beginning: str) -> str:
    """The pages as text; `beginning` says where the listing began, for another one needs other links."""
    urls = {url: number for number, url in enumerate(_urls(pages))}
    rows = [[urls[url], *page[:-1], [urls[link] for link in page.links]] for url, page in pages.items()]
    content = json.dumps([FORM, beginning, [*urls], rows])
    return b64encode(zlib.compress(content.encode(), 6)).decode()


def unpacked_pages(text: str, beginning: str) -> dict[str, Page]:
    """The pages again; none where they are another version's, or began elsewhere."""
    if not text:
        return {}
    form, began, urls, rows = json.loads(zlib.decompress(b64decode(text)))
    if (form, began) != (FORM, beginning):
        return {}
    return {urls[row[0]]: Page(*row[1:-1])._replace(links=tuple(urls[number] for number in row[-1])) for row in rows}


def _urls(pages: Pages) -> Iterable[str]:
    return dict.fromkeys(url for page, content in pages.items() for url in (page, *content.links))
