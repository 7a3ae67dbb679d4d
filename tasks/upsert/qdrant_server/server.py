"""The connection to a Qdrant server, made when it is needed."""

import logging
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

from qdrant_client import QdrantClient

from tasks.errors import ConfigError, ServiceError
from tasks.system.proxies import through_proxies
from tasks.upsert.qdrant_server.errors import OLDEST, translated

SECONDS = 60  # for any answer; a write waits until the server has applied it
_PORT = 6333
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger("headrace")


def numbers_of(version: str) -> tuple[int, int] | None:
    """Major and minor; None where the server does not say them."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers and (int(numbers[1]), int(numbers[2]))


class Server:
    """One call at a time. Nothing is tried again here: a run does that, and knows what it may."""

    def __init__(self, url: str, collection: str, api_key: str = "", seconds: int = SECONDS) -> None:
        """`collection` is for messages; ConfigError for an address or a key that cannot be one."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("`url` under `store` is no address of Qdrant; expected one such as http://host:6333")
        if api_key and not re.fullmatch("[!-~]+", api_key):
            raise ConfigError("`api_key` under `store` has blanks or odd characters; was a line break copied along?")
        self._address = url
        self._key = api_key
        self._seconds = seconds
        self.address = f"{parts.scheme}://{parts.hostname}:{parts.port or _PORT}{parts.path}"
        self.name = f"the collection {collection} in {self.address}"
        if api_key and parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
            _log.warning("%s: the key and the texts go there unencrypted; is there an https address?", self.name)
        self._client: QdrantClient | None = None
        self._is_closed = False
        self._turn = threading.RLock()

    @contextmanager
    def asked(self) -> Generator[QdrantClient]:
        """The client; its errors become ours."""
        with self._turn, translated(self.name, self._key):
            if self._is_closed:
                raise ServiceError(f"{self.name} was used after it had been closed")
            if self._client is None:
                with through_proxies():
                    self._client = QdrantClient(
                        url=self._address,
                        # Not as `api_key`: with that it warns of http on this machine, too.
                        headers={"api-key": self._key} if self._key else None,
                        timeout=self._seconds,
                        check_compatibility=False,
                    )
            yield self._client

    def require_version(self) -> None:
        """ServiceError for a server that is too old; one that does not say its version passes."""
        with self.asked() as client:
            version = client.info().version
        if (numbers := numbers_of(version)) and numbers < OLDEST:
            raise ServiceError(
                f"{self.name}: the server is Qdrant {version}, expected {'.'.join(map(str, OLDEST))} or newer; update"
                " the server"
            )

    def close(self) -> None:
        """Further calls fail; closing twice is no error."""
        with self._turn:
            self._is_closed = True
            if self._client is not None:
                self._client.close()
                self._client = None
