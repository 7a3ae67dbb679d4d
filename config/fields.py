"""What settings are made of: paths, URLs, names, and a section that refuses unknown keys."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails


def beside_file(location: str, info: ValidationInfo) -> str:
    """Make a local path absolute, relative to the configuration file's folder; leave URLs alone."""
    if "://" in location:
        return location
    return str((_folder(info) / Path(location).expanduser()).absolute())


def _model_name(model: str, info: ValidationInfo) -> str:
    """A folder beside the configuration file is one from anywhere; a hub id looks like a path, too."""
    return beside_file(model, info) if model.startswith(("./", "../")) else model


def _database_url(url: str, info: ValidationInfo) -> str:
    """Make a path a SQLite URL, and its path absolute; `sqlite://` alone is a database in memory."""
    if url and not re.search("[:@]", url):  # either may be a mistake in a server's URL, with a password in it
        url = f"sqlite:///{url}"
    scheme, mark, rest = url.partition("://")
    if url and not mark:
        raise ValueError(f"not a database URL; {_EXPECTED_URL}")
    if scheme.partition("+")[0] != "sqlite" or not rest:
        return url
    if not rest.startswith("/") or rest == "/":
        raise ValueError(f"a file stands behind three slashes; {_EXPECTED_URL}")
    return f"{scheme}:///{beside_file(rest[1:], info)}"


def _web_address(url: str) -> str:
    """Refuse what is no web address: with it the provider's library tries for a minute, and then blames the network."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port beyond all ports, half an address of IPv6
        is_one = False
    if not is_one or not url.isprintable() or " " in url:
        shown = "this" if "@" in url else repr(public_url(url))
        raise ValueError(f"{shown} is no web address; expected one such as https://host:8080/v1")
    return url


def public_url(url: str) -> str:
    """The URL without user and password, and without those of its parameters that may be keys."""
    shown = re.sub(r"://[^/]*@", "://", url, count=1)
    return _PARAMETER.sub(lambda found: "" if _is_secret(found) else found[0], shown)


def secret_parameters(url: str) -> list[str]:
    """The values of those parameters of a URL that may be keys, wherever they stand behind its host."""
    return [found[2] for found in _PARAMETER.finditer(url) if _is_secret(found)]


def _is_secret(parameter: re.Match[str]) -> bool:
    return SECRET_NAME.fullmatch(unquote(parameter[1]).strip("[] ")) is not None


def _folder(info: ValidationInfo) -> Path:
    context: dict[str, Any] = info.context or {}
    return Path(context.get("folder", "."))


# A secret's name in a setting, a header or a URL's query: key, hf_token, apiKey, X-Amz-Signature, but not monkey.
SECRET_NAME = re.compile(
    r"[\w.-]*(?:token|secret|password|passwd|passphrase|passcode|pwd|signature|credentials?|authorization|bearer|jwt)"
    r"|(?:[\w.-]*(?:[_.-]|api|app|access|auth|client|licen[cs]e|private|secret|security|ssl|subscription))?(?:key|sig)"
    r"|[\w.-]*(?:api|access|auth)_?(?:keys|tokens)|auth|pass|creds?",
    re.IGNORECASE,
)
_EXPECTED_URL = "expected sqlite:///path/to/file.db, or postgresql+psycopg://user@host/database"
_PARAMETER = re.compile(r"(?<=[?&;#])([^=?&;#]+)=([^&;#]*)[&;]?")
Location = Annotated[str, AfterValidator(beside_file)]
ModelName = Annotated[str, AfterValidator(_model_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
FieldName = Annotated[str, Field(pattern=r"^[\w-]+$", max_length=100)]  # of the metadata
FieldType = Literal["keyword", "integer", "number", "datetime"]
Precision = Literal["float32", "float16", "int8", "binary"]  # of stored vectors
Language = Literal[
    "none",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "turkish",
]  # of a text index
SearchLanguage = Literal["auto"] | Language  # auto: by the first texts of a collection


class Section(BaseModel):
    """A part of a configuration that can be compared and not changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _take_no_truth_for_a_number(cls, settings: Any) -> Any:
        """`dimensions: yes` would be 1 of them."""
        wrong = [
            InitErrorDetails(type=f"{kinds[0]}_type", loc=(name,), input=value)
            for name, value in (settings.items() if isinstance(settings, dict) else ())
            if isinstance(value, bool) and (kinds := _numbers(cls, name))
        ]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return settings


def _numbers(section: type[BaseModel], name: object) -> list[str]:
    """The kinds of numbers that a setting takes, none where it takes a truth value as well."""
    field = section.model_fields.get(str(name))
    kinds = {field.annotation, *get_args(field.annotation)} if field else set()
    return [] if bool in kinds else [kind.__name__ for kind in (float, int) if kind in kinds]


class PaidSection(Section):
    """What a model that costs money may be told."""

    api_key: SecretStr | None = Field(default=None, description="Default: the provider's environment variable.")
    max_usd: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Stop a run, or another command, before it costs more."
    )
    max_usd_per_day: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Stop before all that is done with this key together costs more in one day (UTC).",
    )

    def require_price(self, price: float | None, name: str) -> None:
        """ValueError for a limit of money without one."""
        limits = {"max_usd": self.max_usd, "max_usd_per_day": self.max_usd_per_day}
        limit = next((name for name, usd in limits.items() if usd is not None), None)
        if limit and price is None:
            raise ValueError(f"{limit} needs `{name}` beside it: nothing else says what is spent")
