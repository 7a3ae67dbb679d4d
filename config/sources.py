"""Where documents come from."""

import codecs
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from config.fields import DatabaseUrl, Location, WebAddress, beside_file, public_url
from config.rows import RowColumns
from config.source_sections import (
    PRIVATE_NETWORK,
    PathsSection,
    PrivateNetwork,
    ScansSection,
    SourceSection,
    named_after,
)
from config.statements import one_select

ColumnType = Literal["keyword", "integer", "number", "datetime", "boolean"]


class FilesSource(PathsSection):
    """A folder, a single file, or an fsspec URL."""

    kind: Literal["files"] = Field(default="files", description="Documents are files.")
    path: Location = Field(
        description="Folder, file or fsspec URL (s3://, gs://, az://, https://, memory://). Of a web server: the files"
        " to which a folder's page links, and those of the folders below it; links inside the files are not followed."
    )
    private_network: PrivateNetwork = Field(default=False, description=PRIVATE_NETWORK)

    @model_validator(mode="before")
    @classmethod
    def _name_after_path(cls, given: Any) -> Any:
        return named_after(given, "path", "files")


def is_remote(repository: str) -> bool:
    """Whether it is a URL, or what git takes for one: `git@host:path`."""
    return re.match(r"\w+://|[\w.-]+@[\w.-]+:", repository) is not None


def _repository(place: str, info: ValidationInfo) -> str:
    if place.startswith("-") or "\n" in place or not re.match(r"(https?|ssh|git|file)://|(?!\w+::|\w+://)", place):
        raise ValueError("this is no repository; expected a folder, or a URL with https, ssh or git, or git@host:path")
    return place if is_remote(place) else beside_file(place, info)


class GitSource(PathsSection):
    """A branch of a git repository, read without a work tree."""

    kind: Literal["git"] = Field(description="Documents are files of a git repository.")
    repository: Annotated[str, AfterValidator(_repository)] = Field(
        description="Folder of a repository, which is only read, or a URL, which is cloned beside `state` and fetched"
        " by each run. A password comes from the environment: https://user:${TOKEN}@host/path; ssh has its own keys."
    )
    branch: str = Field(
        default="",
        pattern=r"^([^\s:^~*?\[\\+-][^\s:^~*?\[\\]*)?$",
        description="Branch or tag. Default: what the repository itself names, its HEAD.",
    )
    history: bool = Field(
        default=True,
        description="Whether a document gets commit, author and date of its last change, for a walk of the log. Without"
        " it a URL is cloned without history.",
    )

    @model_validator(mode="before")
    @classmethod
    def _name_after_repository(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(place := given.get("repository"), str) and not given.get("name"):
            return {"name": named_after({"place": public_url(place)}, "place", "git")["name"], **given}
        return given


class MailSource(SourceSection):
    """Messages of mail exports."""

    kind: Literal["mail"] = Field(description="Documents are messages.")
    path: Location = Field(description="An mbox file, a Maildir, or a folder with any of these below it.")

    @model_validator(mode="before")
    @classmethod
    def _name_after_path(cls, given: Any) -> Any:
        return named_after(given, "path", "mail")


class WebSource(ScansSection):
    """Pages of a web site: those of a sitemap, those that are named, or those to which its pages link."""

    kind: Literal["web"] = Field(description="Documents are pages of a web site.")
    sitemap: WebAddress | None = Field(
        default=None, description="URL of a sitemap, or of an index of sitemaps: XML or a URL a line, plain or gzip."
    )
    pages: tuple[WebAddress, ...] = Field(default=(), description="URLs of single pages.")
    start: WebAddress | None = Field(
        default=None, description="URL of a page whose links are followed, and theirs, on its host alone."
    )
    include: tuple[str, ...] | None = Field(
        default=None,
        description="Glob patterns on the URL's path, with or without its query; ** crosses slashes. Default: all.",
    )
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns that win over include.")
    main_text: Literal["auto", "all"] = Field(
        default="auto",
        description="auto reads the part that a page marks as its main one, or its one article, where it marks any: no"
        " header, footer or sidebar; all reads the whole page. Lists of links for navigation are never read.",
    )
    max_pages: int = Field(
        default=10_000, gt=0, description="A run asks for no more pages; with more, nothing is deleted."
    )
    delay_seconds: float = Field(
        default=0.5,
        ge=0,
        le=60,
        description="Pause between two requests to a host; robots.txt may ask for a longer one.",
    )
    heed_noindex: bool = Field(
        default=True,
        description="Leave out what asks for it by noindex or none, in a meta element or in X-Robots-Tag; links of such"
        " pages are followed. Pages under `pages` are meant all the same.",
    )
    user_agent: str = Field(
        default="Headrace", pattern=r"^[ -~]+$", description="What servers, and the rules in robots.txt, see."
    )
    headers: dict[str, SecretStr] = Field(
        default={},
        description="Sent to the configured hosts alone: Authorization, Cookie. Keys come in as ${NAME}.",
    )
    private_network: PrivateNetwork = Field(default=False, description=PRIVATE_NETWORK)

    @field_validator("headers", mode="before")
    @classmethod
    def _can_be_sent(cls, given: Any) -> Any:
        """A key that was read from a file ends in a line feed; another one inside it would be a header of its own."""
        if not isinstance(given, dict):
            return given
        headers = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        for name, value in headers.items():
            if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", str(name), re.ASCII):
                raise ValueError(f"{name!r} is no name of a header; expected one such as Authorization")
            if isinstance(value, str) and not (value and value.isascii() and value.isprintable()):
                raise ValueError(f"{name} has a value that no header can have; expected printable ASCII in one line")
        return headers

    @model_validator(mode="before")
    @classmethod
    def _name_after_host(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("name"):
            pages = given.get("pages")
            first = (
                given.get("sitemap") or given.get("start") or (pages[0] if isinstance(pages, list) and pages else "")
            )
            host = re.sub(r"[^\w.-]+", "-", str(first).partition("://")[2].partition("/")[0].rpartition("@")[2])
            return {**given, "name": host.strip("-") or "web"}
        return given

    @model_validator(mode="after")
    def _has_one_beginning(self) -> Self:
        if bool(self.sitemap) + bool(self.pages) + bool(self.start) != 1:
            raise ValueError("expected one of sitemap, pages and start, and no more than one")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """What is configured to begin with."""
        return tuple(filter(None, (self.sitemap, self.start))) or self.pages


class SqlSource(RowColumns, SourceSection):
    """The rows of one SELECT."""

    kind: Literal["sql"] = Field(description="Documents are rows of a database.")
    name: str = Field(default="sql", pattern=r"^[^:]+$", description="First part of the document ids.")
    url: DatabaseUrl = Field(
        description="SQLAlchemy's URL of the database; a password comes from the environment: ${DATABASE_URL}."
    )
    query: str = Field(description="One SELECT; it runs in a transaction that cannot write.")
    timeout_seconds: float = Field(
        default=600, gt=0, le=86_400, description="A statement may take so long, where the database can be told."
    )

    @field_validator("query")
    @classmethod
    def _reads_only(cls, query: str) -> str:
        return one_select(query)


class TableSource(RowColumns, SourceSection):
    """The rows of files: CSV, TSV, JSON, JSON Lines, Parquet, Excel, OpenDocument."""

    kind: Literal["table"] = Field(description="Documents are rows of files.")
    path: Location = Field(description="File, or a pattern for several: ./export/*.csv; or such an fsspec URL.")
    sheet: str | None = Field(default=None, description="Of a workbook. Default: its first one.")
    encoding: str = Field(
        default="utf-8", description="Of CSV, TSV and JSON; a mark at the beginning of a file says it as well."
    )
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="Of CSV. Default: the one that cuts its rows alike."
    )
    types: dict[str, ColumnType] = Field(
        default_factory=dict[str, ColumnType],
        description="Types of metadata columns in CSV and TSV, where all else is text: {year: integer}.",
    )
    private_network: PrivateNetwork = Field(default=False, description=PRIVATE_NETWORK)

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise ValueError(f"{encoding!r} is no encoding; expected one such as utf-8 or cp1252") from None

    @model_validator(mode="before")
    @classmethod
    def _name_after_path(cls, given: Any) -> Any:
        return named_after(given, "path", "table")


class PythonSource(RowColumns, SourceSection):
    """What a function of your own yields, or the rows of its pandas DataFrame."""

    kind: Literal["python"] = Field(description="Documents come from a function of your own.")
    function: str = Field(
        description="package.module:function. It takes nothing, and yields (id, text, metadata) or (id, text, metadata,"
        " version), or returns a pandas DataFrame.",
    )
    path: Location = Field(
        default=".",
        validate_default=True,
        description="Where the module is looked for first. Default: this file's folder.",
    )
    id: str | tuple[str, ...] = Field(default="id", description="Of a DataFrame: the column or columns that name it.")
    text: str | tuple[str, ...] = Field(default="text", description="Of a DataFrame: column, columns or template.")

    @field_validator("function")
    @classmethod
    def _is_function(cls, function: str) -> str:
        module, mark, name = function.partition(":")
        if not mark or not all(part.isidentifier() for part in (*module.split("."), name)):
            raise ValueError(f"{function!r} names no function; expected such as package.module:documents")
        return function

    @model_validator(mode="before")
    @classmethod
    def _name_after_function(cls, given: Any) -> Any:
        return named_after(given, "function", "python")


RowsSource = SqlSource | TableSource | PythonSource


def with_kind(source: Any) -> Any:
    """The source with `kind: files` where none is given: a union would refuse it, for it looks at the tag first."""
    return {"kind": "files", **source} if isinstance(source, dict) else source


Source = Annotated[
    FilesSource | GitSource | WebSource | MailSource | SqlSource | TableSource | PythonSource,
    Field(discriminator="kind"),
    BeforeValidator(with_kind),
]
