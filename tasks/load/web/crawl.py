"""One listing of a site: which pages there are, and what they say, each asked for once."""

import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from tasks.errors import DocumentError, TransientError
from tasks.load.parse.formats import CODE, FORMATS, IMAGE, SUFFIXES
from tasks.load.web.address import is_same_site, place_of, spelled
from tasks.load.web.address_guard import ForbiddenAddressError
from tasks.load.web.connections import REDIRECTS, check_hop
from tasks.load.web.fetch import NOT_MODIFIED, Answer, Limits, require_ok
from tasks.load.web.links import Links, links_in
from tasks.load.web.memory import Page, Pages, end_of
from tasks.load.web.polite import Polite
from tasks.load.web.spool import Spool

OUTAGE = 5  # pages in a row that cannot be read: no longer their own fault
_SUFFIXES = {suffix for row in FORMATS if row not in (CODE, IMAGE) for suffix in row.suffixes if suffix}
LONGEST_HEADER = 2_048
_CANONICAL = re.compile(r"""<([^<>]+)>[^<,]*;\s*rel\s*=\s*(?:"[^"<]*\bcanonical\b|canonical\b)""", re.IGNORECASE)
_LEADING_NOWHERE = _SUFFIXES - {".html", ".htm", ".xhtml"}


class Way(NamedTuple):
    """How far a listing goes: `takes` says which pages belong to the source, `follows` whether links lead to them."""

    most: int
    takes: Callable[[str], bool]
    follows: bool


class Crawl:
    """What one listing learns, by URL: `pages`; why a page is unknown, in `failed`, or cannot be used, in `bad`.

    `limit` is why there may be more pages, "" where there are none.
    """

    def __init__(self, polite: Polite, known: Pages, spool: Spool, limits: Limits) -> None:
        """`known` is what an earlier listing learnt."""
        self.pages: dict[str, Page] = {}
        self.failed: dict[str, str] = {}
        self.bad: dict[str, DocumentError] = {}
        self.gone: list[str] = []
        self.disallowed: list[str] = []
        self.limit = ""
        self.is_outage = False
        self._polite = polite
        self._known = known
        self._spool = spool
        self._limits = limits
        self._queue: deque[tuple[str, int]] = deque()  # with how many redirects led there
        self._seen: set[str] = set()
        self._failed_in_a_row = 0

    def end_of(self, url: str) -> str:
        """Where the redirects lead that begin at the URL."""
        return end_of(self.pages, url)

    def visit(self, urls: Mapping[str, str], way: Way) -> None:
        """Ask for the pages, by URL what a sitemap says of their last change, and for those that they lead to."""
        self._seen.update(urls)
        self._queue.extend((url, 0) for url in urls)
        while self._queue and not self.limit:
            url, hops = self._queue.popleft()
            if len(self.pages) + len(self.failed) + len(self.gone) >= way.most:
                self.limit = f"more than {way.most:,} pages, as max_pages says; the next would be {url}"
                return
            page = self._page(url, urls.get(url, ""), with_links=way.follows)
            self._look_for_outage(url)
            if page is not None:
                self.pages[url] = page
                self._lead(url, hops, way)

    def _look_for_outage(self, url: str) -> None:
        self._failed_in_a_row = self._failed_in_a_row + 1 if url in self.failed else 0
        if self._failed_in_a_row >= OUTAGE:
            self.limit = f"no page any more: {OUTAGE} in a row failed, the last: {self.failed[url]}"

    def _lead(self, url: str, hops: int, way: Way) -> None:
        """Put on the list where a page leads; a redirect at once, for its page has other conditions."""
        page = self.pages[url]
        if page.target and hops >= REDIRECTS:
            self.failed[url] = f"{url} is redirected more than {REDIRECTS} times; exclude it"
            return
        leads = page.links if way.follows and not page.target else filter(None, [page.target])
        for lead in leads:
            if lead not in self._seen and way.takes(lead):
                self._seen.add(lead)
                if page.target:
                    self._queue.appendleft((lead, hops + 1))
                else:
                    self._queue.append((lead, 0))

    def _page(self, url: str, lastmod: str, *, with_links: bool) -> Page | None:
        """The page; None where it is not there, or not known, which is written down."""
        known = self._known.get(url, Page())
        try:
            return known if known.vouched(lastmod) else self._asked(url, known, lastmod, with_links=with_links)
        except FileNotFoundError:
            self.gone.append(url)
        except PermissionError:
            self.failed[url] = f"{url} may not be read without signing in; set `headers`, or exclude it"
        except TransientError as error:
            self.failed[url] = str(error)
            self.is_outage = True
        except ForbiddenAddressError as error:
            self.failed[url] = str(error)
        except DocumentError as error:
            if not with_links or _suffix(url) in _LEADING_NOWHERE:
                self.bad[url] = error
                return Page(suffix=known.suffix or ".html")
            self.failed[url] = str(error)
        return None

    def _asked(self, url: str, known: Page, lastmod: str, *, with_links: bool) -> Page | None:
        if not self._polite.allows(url):
            self.disallowed.append(url)
            return None
        last = self._known.get(end_of(self._known, url), known)
        answer = self._polite.ask(url, self._limits, last.validators, _is_read)
        if answer.status == NOT_MODIFIED and last.validators:
            told = answer.all("X-Robots-Tag")
            is_private = last.is_private or self._polite.is_asked_to_leave_out(told)
            return last._replace(listed=lastmod, seen=time.time(), is_private=is_private)
        if answer.target:
            check_hop(answer.target)
            target = spelled(answer.target)
            if not target:
                raise DocumentError("outside", f"{url} is redirected to no address of the web; exclude it")
            return Page(target=target, seen=time.time())
        if answer.status != HTTPStatus.OK:
            require_ok(answer)
        return self._read(answer, known, lastmod, with_links=with_links)

    def _read(self, answer: Answer, known: Page, lastmod: str, *, with_links: bool) -> Page:
        url, content, suffix = answer.url, answer.content, suffix_of(answer)
        digest = digest_of(content) if suffix else ""
        charset = charset_of(answer)
        links = Links("", [])
        if suffix == ".html":
            try:
                links = links_in(url, content, charset)
            except DocumentError as error:  # reading it for its text will say the same
                if with_links:
                    self.failed[url] = f"the links of {error}"
        if suffix:
            self._spool.keep(digest, content)
        modified = answer.headers.get("Last-Modified", "")
        canonical = links.canonical or _canonical(answer)
        is_same = bool(digest) and digest == known.digest
        return Page(
            digest,
            suffix,
            charset,
            answer.headers.get("ETag", ""),
            modified,
            spelled(canonical),
            listed=lastmod,
            dated=known.dated if is_same else lastmod or _iso(modified),
            seen=time.time(),
            is_private=self._polite.is_asked_to_leave_out([*links.robots, *answer.all("X-Robots-Tag")]),
            links=_own_links(url, links) if with_links else (),
        )


def suffix_of(answer: Answer) -> str:
    """The suffix that a file with this content would have; "" for what nothing reads: pictures, programs, archives."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    suffix = _suffix(answer.url)
    if SUFFIXES.get(kind) == ".html" or not (kind or suffix):
        return ".html"
    if suffix in _SUFFIXES and not kind.startswith(("image/", "video/", "audio/")):
        return suffix
    return SUFFIXES.get(kind, "")


def _canonical(answer: Answer) -> str:
    """The address that the server says it has; "" for none."""
    match = _CANONICAL.search(", ".join(answer.all("Link"))[:LONGEST_HEADER])
    return urljoin(answer.url, match[1]) if match else ""


def _suffix(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).suffix.lower()


def _is_read(answer: Answer) -> bool:
    return bool(suffix_of(answer))


def charset_of(answer: Answer) -> str:
    """The encoding that the server names, "" for none."""
    for part in answer.headers.get("Content-Type", "").split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == "charset":
            return value.strip(" '\"")
    return ""


def digest_of(content: bytes) -> str:
    """What tells one content from another."""
    return hashlib.sha256(content).hexdigest()[:32]


def _own_links(url: str, links: Links) -> tuple[str, ...]:
    """Those to pages of the same site, the page's own address among them."""
    targets = dict.fromkeys(map(spelled, filter(None, [links.canonical, *links.targets])))
    return tuple(target for target in targets if is_same_site(place_of(target), place_of(url)))


def _iso(date: str) -> str:
    """A date of HTTP as ISO 8601; "" for what is none."""
    try:
        return parsedate_to_datetime(date).isoformat() if date else ""
    except ValueError:
        return ""
