"""Keys and passwords: they stand in no configuration file, and come from the environment or a Prefect Secret block."""

import re
from collections.abc import Iterator
from typing import Any

from config.errors import ConfigError
from config.fields import SECRET_NAME, secret_parameters
from config.prefect_api import configured_api
from config.yaml_file import Fields, YamlFile, YamlValue

_NO_SETTINGS = ("filter_fields", "metadata")  # what stands there is named as documents have it
_SCHEME = re.compile(r"(basic|bearer|token)\s+", re.IGNORECASE)  # before the key in a header
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_URL = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*)://(?:(?P<user>[^/@:?#]*(?::[^@]*)?)@)?")


def refuse_written_secrets(file: YamlFile) -> None:
    """Raise ConfigError that names each place, and shows nothing of what is written there."""
    problems = [
        f"{file.place(fields)}: a secret is written here; expected ${{NAME}} for an environment variable, or"
        " ${secret:NAME} for a Prefect Secret block"
        for fields, text in _texts(file.content, ())
        if _holds_secret(fields, text)
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def load_secret(name: str) -> str:
    """The value of the Prefect Secret block; ConfigError, without any value, where it is not to be had."""
    api = configured_api()
    if api is None:
        raise ConfigError(f"the secret {name!r} is kept by Prefect, but no Prefect server is set; set PREFECT_API_URL")
    from prefect.blocks.system import Secret

    try:
        block: Any = Secret.load(name)  # pyright: ignore[reportUnknownVariableType]
    except ValueError as error:
        raise ConfigError(
            f"Prefect at {api.url} has no Secret block named {name!r}; make it on the page Blocks, or with"
            f" Secret(value=…).save({name!r})"
        ) from error
    except Exception as error:
        raise ConfigError(
            f"the Secret block {name!r} cannot be read from Prefect at {api.url} ({type(error).__name__}); is it"
            " running?"
        ) from error
    return str(block.value.get_secret_value())


def _holds_secret(fields: Fields, text: str) -> bool:
    if SECRET_NAME.fullmatch(str(fields[-1])) and not any(name in fields for name in _NO_SETTINGS):
        return bool(_REFERENCE.sub("", _SCHEME.sub("", text, count=1))) or ":-" in text
    return any(_REFERENCE.sub("", value) for value in _url_secrets(text))


def _url_secrets(text: str) -> Iterator[str]:
    """Passwords, keys among the parameters, and who asks a web server: there a name alone is a key as well."""
    url = _URL.search(text)
    if url is None:
        return
    user, _, password = (url["user"] or "").partition(":")
    yield password or (user if url["scheme"].lower() in ("http", "https") else "")
    yield from secret_parameters(text)


def _texts(value: YamlValue, fields: tuple[int | str, ...]) -> Iterator[tuple[Fields, str]]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*fields, key))
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*fields, index))
        case str():
            yield fields, value
        case _:
            return
