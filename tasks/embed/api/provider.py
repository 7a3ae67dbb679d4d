"""What a paid provider is, and what every one of them needs to read its SDK's errors."""

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

from config import embedders
from config.fields import SECRET_NAME
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.outcomes import Answer, OutageError, TooLargeError
from tasks.embed.api.dispatch.transport import Side
from tasks.embed.models import PaidModels
from tasks.errors import ConfigError, HeadraceError
from tasks.records import EmbeddingKey, Vector
from tasks.system.proxies import by_way_of

CONNECT_SECONDS = 5.0
LATE = (504, 524)  # a proxy gave the model up, which may have worked on
MESSAGE_LENGTH = 300
# By name, since SDKs change their HTTP library; of httpx, aiohttp and urllib3.
_NEVER_SENT = {
    "ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "ConnectionTimeoutError",
    "NewConnectionError", "ConnectTimeoutError", "ProxyError",
}  # fmt: skip
_UNWRITABLE = {"LocalProtocolError", "UnsupportedProtocol", "InvalidURL", "InvalidHeader"}
_LONG_TEXT = re.compile(r"context length|less than \d+ tokens|maximum (input|sequence) length|physical batch size")
_MANY_TOKENS = re.compile(r"tokens per (\w+ )*(batch|request)|request too large|too many tokens")
_MANY = re.compile(r"\b(batch|inputs?|texts?|array|items?|documents?|requests?|elements?|instances?)\b")
_LIMIT = re.compile(r"\b(max\w*|most|limit\w*|larger than|exceed\w*|too (many|long|large)|more than|up to)\b")
_NUMBER = re.compile(r"(?<![\w.])\d{1,6}(?![\w.]*\w)")
_LONG_QUOTE = re.compile(r"""(["'`])(?:(?!\1).){20,}(?:\1|$)""", re.DOTALL)
_KEY_IN_URL = re.compile(rf"(?<![\w.-])(?:{SECRET_NAME.pattern})=[^\s&\"']+", re.IGNORECASE)
_KEY = re.compile(r"\b((sk|pk|key)-[\w*-]{4,}|(Basic|Bearer) [\w+/=.~-]+)")


class Provider(Protocol):
    """One company's API through its SDK; everything that is the same for all of them is PaidEmbedder's."""

    @property
    def family(self) -> str:
        """Whose vectors they are, in vector spaces and accounts."""
        ...

    @property
    def name(self) -> str:
        """The provider in messages."""
        ...

    @property
    def models(self) -> PaidModels:
        """Limits, prices and dimensions."""
        ...

    @property
    def account(self) -> tuple[str, str]:
        """The server's address and the key: who shares both, shares limits and money.

        ConfigError, with the remedy, where there is no key; asking sends nothing.
        """
        ...

    def call(self, texts: list[str], side: Side, /) -> Answer:
        """Send one request, once: no retries of the SDK's own. Called from several threads.

        Time and size of the whole answer, and where it may be sent on, are the guard's: see guard.py.
        The vectors come in the order of the texts; MalformedError where the answer cannot be read so. A text for a
        contextual model may be several, see contextual.py, and gets a matrix.
        """
        ...

    def translate(self, error: Exception, clock: Clock, /) -> HeadraceError | None:
        """What an error that `call` raised means, scrubbed; None for an error that is not the SDK's.

        The classes of dispatch/outcomes.py say what happens next. ConfigError and ServiceError stop the run.
        """
        ...

    def close(self) -> None:
        """End the connections; the next call opens them again."""
        ...


def asked(config: embedders.PaidEmbedder, models: PaidModels, side: Side) -> tuple[str, int | None]:
    """The model that a side is embedded with, and the dimension to ask it for.

    None: its own, or there is no other to be had. A model that only the server knows is asked for what is configured.
    """
    model = config.model_of(side)
    known, wanted = models.models.get(model), config.dimensions or models.row(config.model).dimension
    if known is None:
        return model, config.dimensions
    return model, wanted if known.can_make(wanted) and wanted != known.dimension else None


class BatchState(NamedTuple):
    """How far a batch is: its `status` in the provider's words, and the `files` with results once it `is_over`.

    `why` says for what it was refused as a whole, `is_full` that so much cannot wait at once.
    """

    status: str
    done: int
    is_over: bool
    files: tuple[str, ...] = ()
    why: str = ""
    is_full: bool = False


class BatchLine(NamedTuple):
    """What became of one text: its vector, or a refusal for good, or neither, and then it may be sent again."""

    key: EmbeddingKey
    vector: Vector | None = None
    tokens: int | None = None
    is_refused: bool = False
    why: str = ""


class BatchApi(Protocol):
    """A provider's way to work off many texts within a day; errors are its SDK's."""

    most_texts: int
    most_bytes: int

    def line(self, key: EmbeddingKey, text: str, /) -> bytes:
        """What stands for one text in a file."""
        ...

    def upload(self, file: BinaryIO, /) -> str:
        """The file's name there; costs nothing."""
        ...

    def create(self, file: str, mark: str, /) -> str:
        """Let a file be worked off; from here on it costs."""
        ...

    def find(self, mark: str, /) -> str | None:
        """The batch that was created with this mark, where nobody has seen the answer."""
        ...

    def state(self, batch_id: str, /) -> BatchState:
        """How far it is."""
        ...

    def lines(self, file: str, /) -> Iterator[BatchLine]:
        """A file of results, in any order."""
        ...


@runtime_checkable
class BatchProvider(Protocol):
    """A provider that may be asked in batches."""

    @property
    def batch_api(self) -> BatchApi | None:
        """The way to ask it so; None where the configuration wants each answer now."""
        ...


@contextmanager
def translated(provider: Provider, clock: Clock) -> Generator[None, None, None]:
    """Errors of the SDK become ours, without their causes, which quote requests and keys."""
    try:
        yield
    except Exception as error:
        if ours := next((cause for cause in causes(error) if isinstance(cause, HeadraceError)), None):
            raise ours from None  # an SDK wraps what the guard says
        if is_unwritable(error):
            raise ConfigError(
                f"a request to {provider.name} cannot be written: what stands in its address or its headers"
                " has a line feed, or another sign that may not be there; check embedder.base_url and the"
                " environment variables that the provider's SDK reads"
            ) from None
        if any(type(cause).__name__ == "TooManyRedirects" for cause in causes(error)):
            raise ConfigError(
                f"the server of embedder.base_url sends requests to {provider.name} on from one address of its own to"
                " the next; expected an answer: set embedder.base_url to the one that answers"
            ) from None
        meaning = provider.translate(error, clock)
        if meaning is None:
            raise
        # Without its cause: an SDK's own error quotes the request, and the server's words may quote the key.
        raise meaning from None


def was_sent(error: BaseException) -> bool:
    """Whether the request may have arrived, for all that this error and its causes say."""
    return not any(type(cause).__name__ in _NEVER_SENT for cause in causes(error))


def unreachable(provider: str, error: BaseException, section: str = "embedder") -> HeadraceError:
    """The outage that an error of the network is, or the setting that no patience would put right.

    The error's own words may hold the address, and so a password.
    """
    said = " ".join(str(cause) for cause in causes(error))
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return ConfigError(
            f"{provider}: the server's certificate is not trusted on this machine; let SSL_CERT_FILE name a file with"
            f" the one that vouches for it, or correct {section}.base_url"
        )
    if "[SSL:" in said:
        return ConfigError(f"{provider}: no https is spoken there; check {section}.base_url{by_way_of()}")
    sent = was_sent(error)
    known = ("Name or service not known", "Connection refused", "Network is unreachable", "No route to host")
    why = next((words for words in known if words in said), type(error).__name__)
    is_late = sent and "Timeout" in type(error).__name__
    text = f"{provider} cannot be reached ({why}); check the network and {section}.base_url{by_way_of()}"
    return OutageError(text, may_be_billed=sent, is_unreachable=not sent, timed_out=is_late)


def is_unwritable(error: BaseException) -> bool:
    """Whether there is no such request: it never left, and never will."""
    return any(
        type(cause).__name__ in _UNWRITABLE or (isinstance(cause, UnicodeEncodeError) and cause.encoding == "ascii")
        for cause in causes(error)
    )


def check_key(key: str, provider: str, variable: str) -> None:
    """ConfigError, without the key, for one that no header can carry; sent, it would look like a broken network.

    `variable` of the environment may be where it comes from.
    """
    if len(key) > 1 and key[0] == key[-1] and key[0] in "\"'`":
        raise ConfigError(
            f"the key for {provider} (embedder.api_key, or {variable or 'the environment'}) stands in quotation marks,"
            " which are sent with it; take them away where the key is set"
        )
    wrong = next((place for place, sign in enumerate(key) if not "!" <= sign <= "~"), None)
    if wrong is not None:
        what = {"\n": "a line feed", "\r": "a carriage return", " ": "a blank", "\t": "a tab"}.get(key[wrong])
        raise ConfigError(
            f"the key for {provider} (embedder.api_key, or {variable or 'the environment'}) has"
            f" {what or 'a sign that is not ASCII'} at place {wrong + 1} of {len(key)}; expected letters, digits and"
            " punctuation alone: take that away where the key is set"
        )


def words_of(body: object) -> str:
    """What the body of an error says, in any of the forms that servers use; empty where it says nothing."""
    match body:
        case str():
            return "" if body.lstrip().startswith("<") else body.strip()  # a proxy's page
        case Mapping():
            said = (words_of(body.get(name)) for name in ("message", "detail", "error", "msg", "code", "type"))
            return next(filter(None, said), "")
        case int():
            return str(body)
        case [*items]:
            return "; ".join(filter(None, map(words_of, items)))
        case _:
            return ""


def too_large(message: str, words: str) -> TooLargeError | None:
    """The error for a refusal of so many texts together, by its words alone; None where they say something else."""
    words = words.lower()
    if _LONG_TEXT.search(words):
        return TooLargeError(message, is_one_text=True)
    if _MANY_TOKENS.search(words):
        return TooLargeError(message)
    if not re.search("token|dimension", words) and _MANY.search(words) and _LIMIT.search(words):
        return TooLargeError(message, [int(number) for number in _NUMBER.findall(words)])
    return None


def scrubbed(message: str, key: str) -> str:
    """Short, without the key, and without long quotations, which are somebody's document."""
    if key:
        message = message.replace(key, "***")
    message = _KEY_IN_URL.sub("***", message)
    message = _LONG_QUOTE.sub("'…'", _KEY.sub("***", message))
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:MESSAGE_LENGTH]}…"


def lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
