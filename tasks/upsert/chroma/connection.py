"""Chroma's HTTP API v2, and nothing else of Chroma.

Its own client does the same, but it takes two to four seconds of CPU time to import, waits for ever for an answer, and
keeps the status of a foreign answer, such as a proxy's, to itself.
"""

import json
import re
import time
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from tasks.errors import ConfigError, TransientError
from tasks.retry import retry_after
from tasks.system.proxies import by_way_of, through_proxies
from tasks.upsert.chroma.errors import refusal

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 120.0  # a server builds its index while it takes records
_CLOUD, _CLOUD_IDS, _IDS = "trychroma.com", 300, 10_000
_MOST_RECORDS = 1000  # in a request; larger ones are no faster


class Database(NamedTuple):
    """Where the collections are. `server` names it in messages; `remedy` is for an answer that does not come."""

    url: str
    tenant: str
    name: str
    server: str
    remedy: str
    is_ours: bool = False


class Connection:
    """Calls are made one after the other; foreign errors arrive as ours, without the token."""

    def __init__(self, database: Database, token: str = "", answer_seconds: float = ANSWER_SECONDS) -> None:
        """Nothing is sent yet; our own server is not asked through a proxy."""
        self._database = database
        self._token = token
        # Chroma Cloud reads the first, a proxy before one's own server as a rule the second.
        headers = {"X-Chroma-Token": token, "Authorization": f"Bearer {token}"} if token else {}
        if not re.fullmatch("[!-~]*", token):
            raise ConfigError("`token` under `store` has blanks or odd characters; was a line break copied along?")
        with through_proxies():
            self._http = httpx.Client(
                base_url=database.url.rstrip("/") + "/api/v2",
                headers={"Content-Type": "application/json", **headers},
                timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS),
                trust_env=not database.is_ours,
            )
        self._most_records = 0

    def database(self, method: str, *path: str, body: object = None) -> Any:
        """The answer of `/tenants/…/databases/…/PATH`."""
        place = ("tenants", self._database.tenant, "databases", self._database.name)
        return self.call(method, *place, *path, body=body)

    def call(self, method: str, *path: str, body: object = None) -> Any:
        """The answer of `/PATH`; NoCollectionError where there is no such collection."""
        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            response = self._http.request(
                method, "/" + "/".join(quote(part, safe="") for part in path), content=content
            )
        except httpx.TimeoutException as error:
            raise TransientError(f"{self._server} did not answer in time; {self._database.remedy}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            cause = self._without_token(str(error)) or type(error).__name__
            proxy = "" if self._database.is_ours else by_way_of()
            raise TransientError(
                f"{self._server} cannot be reached: {cause}; {self._database.remedy}{proxy}"
            ) from error
        if not response.is_success:
            wish = retry_after(response.headers.get("retry-after"), time.time())
            raise refusal(self._server, response.status_code, self._without_token(response.text), wish)
        try:
            return response.json()
        except ValueError as error:
            raise ConfigError(
                f"{self._server} answered something else than JSON; expected a Chroma server at this address"
            ) from error

    def most_records(self) -> int:
        """The number that may come in one request, as the server says."""
        if not self._most_records:
            limits = self.call("GET", "pre-flight-checks")
            self._most_records = max(1, min(_MOST_RECORDS, int(limits["max_batch_size"])))
        return self._most_records

    @property
    def most_ids(self) -> int:
        """The number that may come in one answer; a page costs about as much as all those before it."""
        return _CLOUD_IDS if _CLOUD in self._database.url else _IDS

    def close(self) -> None:
        """Further calls fail."""
        self._http.close()

    @property
    def _server(self) -> str:
        return self._database.server

    def _without_token(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text
