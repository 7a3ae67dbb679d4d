"""The root of Headrace's errors, and the one that configuration raises; the whole tree is drawn in `tasks.errors`."""


class HeadraceError(Exception):
    """`exit_code` is the process's exit status when the error ends a command."""

    exit_code = 70


class ConfigError(HeadraceError):
    """The user must change a setting or an argument; the message names file and field where they are known."""

    exit_code = 2
