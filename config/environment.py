"""Variables of the environment inside a configuration's values, and their way out of error messages."""

import re
from collections.abc import Mapping

from config.errors import ConfigError
from config.secrets import load_secret
from config.yaml_file import YamlFile, YamlValue

_REFERENCE = re.compile(r"\$(\$?)\{([^}]*)\}")
_SECRET = re.compile(r"secret:([a-z0-9][a-z0-9-]*)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class Environment:
    """`${NAME}`, `${NAME:-default}` where it may be unset or empty, and `$${` for a `${` that stands for itself.

    `${secret:NAME}` is the value of a Prefect Secret block.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Nothing is taken from `variables` that the file does not name."""
        self._variables = variables
        self._references: dict[str, str] = {}
        self._problems: list[str] = []

    def fill(self, file: YamlFile) -> YamlValue:
        """The file's content with its variables replaced; one ConfigError that names all that are missing."""
        filled = self._fill(file.content, file, ())
        if self._problems:
            raise ConfigError("\n".join(self._problems))
        return filled

    def hide(self, message: str) -> str:
        """Put the reference in place of every value that came from the environment: it may be a secret."""
        for value in sorted(self._references, key=len, reverse=True):
            message = message.replace(value, self._references[value])
        return message

    def _fill(self, value: YamlValue, file: YamlFile, fields: tuple[int | str, ...]) -> YamlValue:
        if isinstance(value, dict):
            return {key: self._fill(item, file, (*fields, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._fill(item, file, (*fields, index)) for index, item in enumerate(value)]
        if isinstance(value, str):
            return _REFERENCE.sub(lambda match: self._look_up(match, file.place(fields)), value)
        return value

    def _look_up(self, match: re.Match[str], place: str) -> str:
        escaped, inside = match.groups()
        if escaped:
            return match[0][1:]
        if secret := _SECRET.fullmatch(inside):
            return self._secret(secret[1], place)
        variable = _VARIABLE.fullmatch(inside)
        if variable is None:
            self._problems.append(
                f"{place}: {match[0]} names no variable; expected ${{NAME}}, ${{secret:NAME}}, or $${{ for a plain ${{"
            )
            return ""
        name, default = variable.groups()
        value = self._variables.get(name)
        if not value and default is not None:
            return str(default)
        if value is None:
            self._problems.append(f"{place}: the environment variable {name} is not set; export {name}=…")
            return ""
        if value:
            self._references[value] = f"${{{name}}}"
        return value

    def _secret(self, name: str, place: str) -> str:
        try:
            value = load_secret(name)
        except ConfigError as error:
            self._problems.append(f"{place}: {error}")
            return ""
        self._references[value] = f"${{secret:{name}}}"
        return value
