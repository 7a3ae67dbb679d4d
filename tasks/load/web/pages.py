"""Documents from a web site: pages of a sitemap, of a list, or those to which a page leads."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from urllib.parse import urljoin, urlsplit

from config import sources
from tasks.errors import DocumentError, MissingExtraError, TransientError
from tasks.load.parse.open import parse
from tasks.load.paths import by_suffix, document_id, matcher, without_doubles
from tasks.load.web.address import bare, is_same_site, path_of, place_of, spelled
from tasks.load.web.address_guard import check_web_url, policy_for
from tasks.load.web.crawl import Crawl, Way, charset_of, digest_of, suffix_of
from tasks.load.web.fetch import PAGE_SECONDS, Answer, Limits
from tasks.load.web.links import html_of
from tasks.load.web.main_text import main_part
from tasks.load.web.memory import Page, end_of, packed, unpacked_pages
from tasks.load.web.polite import MOST_NAMED, SECONDS, Polite, shown
from tasks.load.web.sitemap import SITEMAP_BYTES, read_sitemaps
from tasks.load.web.spool import Spool
from tasks.records import Document, DocumentRef, FailedScope, Listing

MOST_SCOPES = 100


class WebPages:
    """Ids are the paths of URLs, with their queries; pages of another host are named by their whole URL.

    A listing asks for every page, with what the server said of it last time, and keeps what it answers for the
    documents that are read in the same run. The hint is the hash of the content.
    """

    def __init__(self, config: sources.WebSource) -> None:
        """Nothing is contacted before the first listing. ConfigError for an address that holds a password."""
        for url in config.urls:
            check_web_url(url)
        self._config = config
        self._policy = policy_for(config.name, config.private_network, config.urls)
        self._place = place_of(spelled(config.urls[0]))
        self._includes = matcher([pattern.lstrip("/") for pattern in config.include or ["**"]])
        self._excludes = matcher([pattern.lstrip("/") for pattern in config.exclude])
        self._limits = Limits(config.max_bytes, SECONDS)
        self._known: dict[str, Page] = {}
        self._documents: dict[str, tuple[str, Page]] = {}
        self._bad: Mapping[str, DocumentError] = {}
        self._spool = Spool()
        self.name = config.name

    def recall(self, memory: str) -> None:
        """Take what an earlier listing learnt; pages that have not changed since then are not sent again."""
        self._known = unpacked_pages(memory, self._beginning)

    def memory(self) -> str:
        """What the last listing learnt of the pages."""
        return packed(self._known, self._beginning)

    def list(self) -> Listing:
        """The pages that are there; one that cannot be read makes the listing of a crawl a failed scope altogether.

        In a sitemap and in a list of pages it is the page alone that is unknown.
        """
        self._spool.close()
        self._spool = Spool()
        vars(self).pop("_polite", None)  # another listing reads robots.txt anew
        crawl = Crawl(self._polite, self._known, self._spool, self._limits)
        try:
            self._visit(crawl)
        except MissingExtraError:
            raise
        except FileNotFoundError as error:
            return self._nothing(f"{error} does not exist; check `sitemap`")
        except PermissionError as error:
            return self._nothing(f"{error} may not be read without signing in; set `headers`")
        except (DocumentError, TransientError) as error:
            return self._nothing(str(error), is_outage=isinstance(error, TransientError))
        kept = {url: page for url, page in self._known.items() if url in crawl.failed or crawl.limit}
        self._known = {**kept, **crawl.pages}
        self._bad = crawl.bad
        own = sorted(self._own_pages(crawl))
        self._documents = {path_of(url, self._place): (url, page) for url, page in own}
        refs = [self._ref(path, page) for path, (_, page) in sorted(self._documents.items())]
        taken, doubles = without_doubles(refs, self.name)
        strange = [urlsplit(url).path for url, page in crawl.pages.items() if not (page.suffix or page.target)]
        failed = (*doubles, *self._scopes(crawl, kept))
        return Listing(self.name, tuple(taken), failed, by_suffix(strange), tuple(self._notes(crawl, len(own))))

    def read(self, ref: DocumentRef, /) -> Document:
        """The page as the listing saw it; where that was not kept, as it is now, and then its hint may be void."""
        url, page = self._documents.get(ref.path) or (urljoin(self._config.urls[0], ref.path), Page())
        if url in self._bad:
            raise self._bad[url]
        content = self._spool.content(page.digest) if page.digest else None
        if content is None:
            answer = self._asked_again(ref, url)
            content = answer.content
            ref = ref if page.digest == digest_of(content) else ref._replace(hint="")
            page = page._replace(suffix=suffix_of(answer), charset=charset_of(answer))
        charset, remarks = page.charset, tuple[str, ...]()
        if page.suffix == ".html" and self._config.main_text == "auto" and content:
            html, remarks = main_part(url, html_of(url, content, charset))
            content, charset = html.encode(), "utf-8"
        document = parse(ref, content, page.suffix, charset, languages=self._config.languages)
        dated = {"lastmod": page.dated} if page.dated else {}
        metadata = {**document.metadata, "url": url, **dated}
        return replace(document, metadata=metadata, remarks=(*remarks, *document.remarks))

    def _ref(self, path: str, page: Page) -> DocumentRef:
        hint = f"{page.digest}-{self._config.main_text}" if page.digest else ""
        return DocumentRef(document_id(self.name, path), self.name, path, hint)

    def _asked_again(self, ref: DocumentRef, url: str) -> Answer:
        try:
            return self._polite.get(url, self._limits)
        except FileNotFoundError as error:
            raise DocumentError("missing", f"{ref.id} was listed, but is gone; the next run will see") from error
        except PermissionError as error:
            raise DocumentError("unreadable", f"{ref.id} may not be read without signing in; exclude it") from error

    @cached_property
    def _polite(self) -> Polite:
        return Polite(self._config, self._policy)

    @property
    def _beginning(self) -> str:
        return f"start {self._config.start}" if self._config.start else "pages"

    def _visit(self, crawl: Crawl) -> None:
        config = self._config
        if config.start:
            crawl.visit({spelled(config.start): ""}, Way(config.max_pages, self._follows, follows=True))
            return
        urls, limit = {spelled(url): "" for url in config.pages}, ""
        if config.sitemap:
            urls, limit = read_sitemaps(config.sitemap, self._sitemap, config.max_pages, self._takes)
        crawl.visit(urls, Way(config.max_pages, self._takes, follows=False))
        crawl.limit = crawl.limit or limit

    def _sitemap(self, url: str) -> bytes:
        return self._polite.get(url, Limits(SITEMAP_BYTES, PAGE_SECONDS)).content

    def _takes(self, url: str) -> bool:
        """Whether include and exclude leave it in, by its path, or by its path and query."""
        path = urlsplit(url).path.lstrip("/")
        names = (path, path_of(url, place_of(url)).lstrip("/"))
        return any(map(self._includes, names)) and not any(map(self._excludes, names))

    def _follows(self, url: str) -> bool:
        return is_same_site(place_of(url), self._place) and self._takes(url)

    def _read_pages(self, crawl: Crawl) -> Iterator[tuple[str, Page]]:
        for url, page in crawl.pages.items():
            if page.suffix and not page.target and self._takes(url):
                yield url, page

    def _leaves_out(self, page: Page) -> bool:
        """A page that is named by hand is meant all the same."""
        return page.is_private and self._config.heed_noindex and not self._config.pages

    def _own_pages(self, crawl: Crawl) -> Iterator[tuple[str, Page]]:
        """The pages that are documents: each once, under the address that it has by its own account."""
        pages = {url: page for url, page in self._read_pages(crawl) if not self._leaves_out(page)}
        firsts: dict[tuple[str, str], str] = {}
        for url in sorted(pages, key=lambda url: (len(url), url)):
            page = pages[url]
            first = firsts.setdefault((bare(url), page.digest or url), url)
            if first == url and self._canonical(url, pages, crawl) == url:
                yield url, page

    def _canonical(self, url: str, pages: Mapping[str, Page], crawl: Crawl) -> str:
        """The end of what pages say is their address, as far as these are pages of the site that are there."""
        seen = [url]
        while url in pages and (named := crawl.end_of(pages[url].canonical or url)) != url:
            if named in seen:
                return min(seen[seen.index(named) :])
            if not is_same_site(place_of(named), place_of(url)) or not (named in pages or named in crawl.failed):
                break
            seen.append(named)
            url = named
        return url

    def _scopes(self, crawl: Crawl, known: Mapping[str, Page]) -> Iterator[FailedScope]:
        whole, failed = f"{self.name}:", crawl.failed
        if crawl.limit:
            yield FailedScope(whole, f"source {self.name!r} shows {crawl.limit}", crawl.is_outage)
        if failed and (self._config.start or len(failed) > MOST_SCOPES or not self._documents):
            which = f"{len(failed):,} pages cannot be read" if len(failed) > 1 else "a page cannot be read"
            reason = f"source {self.name!r}: {which}: {'; '.join([*failed.values()][:MOST_NAMED])}"
            yield FailedScope(whole, reason, crawl.is_outage)
            return
        for url, reason in failed.items():
            led = [page for page in crawl.pages if crawl.end_of(page) == url]
            for place in dict.fromkeys((url, end_of(known, url), *led)):
                yield FailedScope(document_id(self.name, path_of(place, self._place)), reason, is_outage=True)

    def _notes(self, crawl: Crawl, documents: int) -> Iterator[str]:
        read = [*self._read_pages(crawl)]
        private = [url for url, page in read if self._leaves_out(page)]
        lists = (
            (private, "left out, as these pages ask (noindex; `heed_noindex: false` takes them)"),
            (crawl.disallowed, "not asked for, as robots.txt says"),
            (crawl.gone, "not there any more (404, 410)"),
        )
        for urls, what in lists:
            if urls:
                yield f"source {self.name!r}: {what}: {shown(urls)}"
        count = len(read) - len(private)
        if copies := count - documents:
            yield (
                f"source {self.name!r}: {copies:,} of {count:,} pages are copies of others, by what they say of"
                " themselves (rel=canonical), or but for a slash at their end"
            )

    def _nothing(self, reason: str, *, is_outage: bool = False) -> Listing:
        scope = FailedScope(f"{self.name}:", f"source {self.name!r} cannot be listed: {reason}", is_outage)
        return Listing(self.name, (), (scope,))
