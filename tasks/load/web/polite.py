"""Asks web servers one request at a time, no faster than they wish, and for nothing that robots.txt keeps to itself."""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.util import find_spec
from time import sleep
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from config import sources
from tasks.errors import MissingExtraError, TransientError
from tasks.load.web.address import place_of, spelled
from tasks.load.web.address_guard import AddressPolicy
from tasks.load.web.fetch import Answer, Fetcher, Limits, followed, require_ok
from tasks.retry import LONGEST_SECONDS, full_jitter, retry_after

if TYPE_CHECKING:
    from protego import Protego

ATTEMPTS = 3
MOST_NAMED = 3
SECONDS = 30.0  # for one page, as long as a person would wait for it
ROBOTS = Limits(512 * 1024, SECONDS)  # what crawlers read of it at least
_RULES = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")  # that have a value
_AGAIN = (429, 500, 502, 503, 504)


@dataclass
class _Turn:
    """When a host may be asked again; whoever asks holds the lock until the answer is there."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    next: float = 0.0


_TURNS: defaultdict[str, _Turn] = defaultdict(_Turn)  # of the whole process: two sources may be on one host


class Polite:
    """One source's way to ask; what robots.txt says is asked for once."""

    def __init__(self, config: sources.WebSource, policy: AddressPolicy) -> None:
        """Nothing is contacted yet. MissingExtraError without the libraries for it."""
        if find_spec("protego") is None:  # asked first, so that one message names all that is missing
            raise MissingExtraError("kind: web", "web")
        self._fetcher = Fetcher(policy)
        self._agent = config.user_agent
        self._delay = config.delay_seconds
        self._headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        self._own = {place_of(spelled(url)) for url in config.urls}
        self._robots: dict[str, Protego | None] = {}

    def allows(self, url: str) -> bool:
        """Whether robots.txt leaves it to us; TransientError where that cannot be known."""
        robots = self._rules(url)
        return robots is None or robots.can_fetch(url, self._agent)

    def is_asked_to_leave_out(self, told: Sequence[str]) -> bool:
        """Whether one of these values of X-Robots-Tag keeps all robots, or this one by its name, from indexing."""
        own = ("robots", self._agent.partition("/")[0].strip().lower())
        for value in told:
            name, colon, rest = value.partition(":")
            is_named = bool(colon) and "," not in name and name.strip().lower() not in _RULES
            if not is_named or name.strip().lower() in own:
                words = re.split(r"[,;\s]+", (rest if is_named else value).lower())
                if "noindex" in words or "none" in words:
                    return True
        return False

    def ask(
        self,
        url: str,
        limits: Limits,
        headers: Mapping[str, str] = {},
        wants: Callable[[Answer], bool] = lambda _: True,
    ) -> Answer:
        """The answer, for which a busy server is asked again; TransientError where it does not recover soon."""
        delay = self._pause(url)
        for attempt in range(ATTEMPTS - 1):
            answer = self._ask(url, limits, headers, wants, delay)
            if answer.status not in _AGAIN:
                return answer
            wish = retry_after(answer.headers.get("Retry-After"), time.time())
            if (wish or 0.0) > LONGEST_SECONDS:
                break
            sleep((wish or 0.0) + full_jitter(attempt))
        answer = self._ask(url, limits, headers, wants, delay)
        if answer.status in _AGAIN:
            require_ok(answer)
        return answer

    def get(self, url: str, limits: Limits) -> Answer:
        """The answer 200, redirects followed; what else a server answers is an error."""
        answer = followed(url, lambda place: self.ask(place, limits))
        require_ok(answer)
        return answer

    def _ask(
        self,
        url: str,
        limits: Limits,
        headers: Mapping[str, str] = {},
        wants: Callable[[Answer], bool] = lambda _: True,
        delay: float | None = None,
    ) -> Answer:
        own = self._headers if place_of(url) in self._own else {}
        turn = _TURNS[place_of(url)]
        with turn.lock:
            if (wait := turn.next - time.monotonic()) > 0:
                sleep(wait)
            try:
                return self._fetcher.ask(url, limits, {"User-Agent": self._agent, **own, **headers}, wants)
            finally:
                turn.next = time.monotonic() + (self._delay if delay is None else delay)

    def _pause(self, url: str) -> float:
        robots = self._rules(url)
        wish = (robots.crawl_delay(self._agent) if robots is not None else None) or 0.0
        if wish > LONGEST_SECONDS:
            raise TransientError(
                f"robots.txt of {place_of(url)} asks for {wish:g} s between two requests, more than {LONGEST_SECONDS:g}"
            )
        return max(self._delay, wish)

    def _rules(self, url: str) -> "Protego | None":
        """None where there is no robots.txt: then nothing is forbidden."""
        from protego import Protego

        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            answer = followed(urljoin(origin, "/robots.txt"), lambda place: self._ask(place, ROBOTS))
            is_there = not 400 <= answer.status < 500 or answer.status == HTTPStatus.TOO_MANY_REQUESTS
            if is_there:
                require_ok(answer)
            text = answer.content.decode("utf-8-sig", "replace")
            self._robots[origin] = Protego.parse(text) if is_there else None
        return self._robots[origin]


def shown(urls: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first of the URLs, and how many more there are."""
    more = f" and {len(urls) - most:,} more" if len(urls) > most else ""
    return ", ".join(urls[:most]) + more
