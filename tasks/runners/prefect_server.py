"""The Prefect server that a tracked run needs: waited for before the run, and told apart when it fails.

A run that was to be tracked never goes on without a trace: where an API is configured, its absence is a failure.
"""

import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.client import HTTPException
from urllib.parse import urlsplit

import httpx

from config.prefect_api import PrefectApi
from tasks.errors import ConfigError, HeadraceError, ServiceError

WAIT_SECONDS = 10.0  # a server that is being restarted is back by then
QUIET_SECONDS = 2.0
POLL_SECONDS = 0.3
NO_ANSWER = "no whole answer"
TAKEN = threading.Event()  # set by the flow itself, which begins once the server has taken its run
_BUSY = frozenset({408, 429})  # as is every 5xx
# Of a server for one run alone: it makes its database first, and is to tell nobody of this machine.
TEMPORARY = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

DIRECTLY = "Start it, unset PREFECT_API_URL, or pass --direct to run without it"
LOCKED = (
    "most likely its database is locked or overloaded: Prefect's SQLite takes one writer at a time. Stop what holds it,"
    " or give the server PostgreSQL (PREFECT_SERVER_DATABASE_CONNECTION_URL)"
)


def await_server(api: PrefectApi, say: Callable[[str], None], remedy: str = DIRECTLY) -> None:
    """Return once the server answers; `say` is told after 2 s that somebody waits.

    Raises ServiceError where it does not, ConfigError where what answers is no Prefect API. Whether the server takes
    our key, the run's first request tells.
    """
    probe = _Probe(api)
    threading.Thread(target=probe.run, daemon=True).start()  # looking up a name, for one, knows no time limit
    if not probe.ended.wait(QUIET_SECONDS):
        say(f"waiting up to {WAIT_SECONDS:g} s for the Prefect server at {probe.url}")
        probe.ended.wait(WAIT_SECONDS - QUIET_SECONDS)
    if not probe.ended.is_set():
        probe.given_up.set()
        raise ServiceError(
            f"the Prefect server at {probe.url} does not answer: {probe.problem}; tried for {WAIT_SECONDS:g} s. It is"
            f" set as {api.origin}, so it was to be used; nothing was written. {remedy}"
        )
    if probe.error:
        raise probe.error


@contextmanager
def hurried(say: Callable[[str], None]) -> Generator[None]:
    """Tells whoever waits why, where the server has not taken a run by then: Prefect tries for minutes, in silence."""
    why = f"the Prefect server has not taken the run in {WAIT_SECONDS:g} s; {LOCKED}"

    def tell() -> None:
        if not TAKEN.is_set():
            say(why)

    timer = threading.Timer(WAIT_SECONDS, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def meaning(error: BaseException, remedy: str = DIRECTLY) -> HeadraceError | None:
    """What Prefect's client says of its server, as an error of ours; None for an error of another origin.

    Prefect wraps some answers in errors of its own, so the causes are looked at too.
    """
    match error:
        case HeadraceError():
            return None
        case httpx.HTTPStatusError():
            return _refusal(error.response, remedy)
        case httpx.TimeoutException():
            reason = f"{type(error).__name__}; {LOCKED}"
        case httpx.TransportError():
            reason = str(error) or type(error).__name__
        case _:
            cause = error.__cause__ or error.__context__
            if cause is not None and _is_prefects(error) and (known := meaning(cause, remedy)):
                return known
            if not (isinstance(error, RuntimeError) and "API" in str(error)):  # as Prefect says it, of any cause
                return None
            reason = str(error)
    return ServiceError(
        f"the Prefect server does not answer: {reason}; nothing that was written is lost. {remedy}; then run again"
    )


def _is_prefects(error: BaseException) -> bool:
    return isinstance(error, RuntimeError | TimeoutError) or type(error).__module__.partition(".")[0] == "prefect"


def _refusal(answer: httpx.Response, remedy: str) -> HeadraceError:
    status, url = answer.status_code, str(answer.request.url)
    if status in (401, 403):
        return ConfigError(
            f"the Prefect server answers {status} at {url}: it does not take our key; set PREFECT_API_KEY (Prefect"
            f" Cloud) or PREFECT_API_AUTH_STRING (a server of your own). {remedy}"
        )
    if status == 404:
        return ConfigError(
            f"there is no Prefect API at {url} (404); PREFECT_API_URL most often ends in /api, as in"
            f" http://127.0.0.1:4200/api. {remedy}"
        )
    why = LOCKED if status == 503 else "expected it to take the run"
    return ServiceError(f"the Prefect server answers {status} at {url}; {why}. Look into its log. {remedy}")


class _Probe:
    """Asks again and again in a thread of its own; `problem` is what the last answer was like."""

    def __init__(self, api: PrefectApi) -> None:
        self.ended, self.given_up = threading.Event(), threading.Event()
        self.problem = NO_ANSWER
        self.error: HeadraceError | None = None
        self.url = _checked(api)

    def run(self) -> None:
        while not self.given_up.is_set():
            try:
                self._ask()
                self.ended.set()
                return
            except ConfigError as error:
                self.error = error
                self.ended.set()
                return
            except urllib.error.HTTPError as error:
                self.problem = f"it answers {error.code} {error.reason}"
            except (OSError, HTTPException) as error:
                reason = getattr(error, "reason", error)
                self.problem = NO_ANSWER if isinstance(reason, TimeoutError) else str(reason) or type(error).__name__
            self.given_up.wait(POLL_SECONDS)

    def _ask(self) -> None:
        """Returns where something answers that may be a Prefect API."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=WAIT_SECONDS) as answer:  # noqa: S310 - of http
                kind = answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            if error.code >= 500 or error.code in _BUSY:
                raise
            return
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):
                return  # which certificates are good is set in Prefect
            raise
        if kind == "text/html":
            raise ConfigError(
                f"a web page answers at {self.url}/health, not a Prefect API; PREFECT_API_URL most often ends in /api,"
                " as in http://127.0.0.1:4200/api; is a proxy before it?"
            )


def _checked(api: PrefectApi) -> str:
    """The address without a name and a password, which are for Prefect's own client, and for no message."""
    try:
        parts = urlsplit(api.url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    except ValueError:
        pass  # no port, or half an address
    shown = api.url.rpartition("@")[2]
    raise ConfigError(f"{api.origin} is {shown!r}; expected a URL such as http://127.0.0.1:4200/api")
