"""Lengths of time as people write and read them."""

import re

from tasks.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])")


def parse_duration(text: str) -> float:
    """Seconds, from a number with its unit; ConfigError for anything else."""
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not seconds:
        raise ConfigError(f"{text!r} is no length of time; expected a number and its unit, such as 30s, 5m, 1h or 2d")
    return seconds


def format_duration(seconds: float) -> str:
    """The largest unit of which there are at least two; hours and days below ten with a decimal."""
    unit = next((unit for unit in ("d", "h", "m") if seconds >= 2 * _UNITS[unit]), "s")
    amount = seconds / _UNITS[unit]
    digits = 1 if unit in "hd" and amount < 9.95 else 0
    return f"{amount:.{digits}f}".removesuffix(".0") + f" {unit.replace('m', 'min')}"
