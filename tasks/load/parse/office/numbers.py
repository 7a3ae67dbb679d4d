"""Numbers as a spreadsheet shows them: dates in ISO's form, percents, leading zeros, units."""

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 18: "h:mm", 19: "h:mm:ss",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss", 48: "0.0E+0",
    **dict.fromkeys((*range(14, 18), *range(27, 37), *range(50, 59)), "yyyy-mm-dd"),
}  # fmt: skip
_PART = re.compile(
    r'"([^"]*)"?|\\(.)|_.|\*.|\[\$([^\]-]*)[^\]]*\]|\[([hms]+)\]|\[[^\]]*\]|(.)', re.IGNORECASE | re.DOTALL
)
_NUMBER = re.compile(r"[#0?][#0?,]*(?:\.[#0?]*,*)?(?:E[+-][#0?]+)?|\.[#0?]+", re.IGNORECASE)
_DAYS = ("y", "d")
_CLOCK = ("h", "s")
_LATEST = 2_958_466  # the day after 9999
_DAY_SECONDS = 86_400
_GENERAL = "General"
MOST_CODE = 255  # characters that Excel takes


class _Form(NamedTuple):
    """`pattern` has the letters of a date, or the digits; `before` and `after` are words around it."""

    before: str
    pattern: str
    after: str
    is_elapsed: bool


def code_of(number: int, custom: dict[int, str]) -> str:
    """The form with this number, as a workbook or the standard has it."""
    return custom.get(number) or _BUILT_IN.get(number, _GENERAL)


def general(value: float) -> str:
    """The number with as many digits as it was written with: 0.1 and not 0.1000000001, 3 and not 3.0."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else f"{value:.15g}"


def shown(value: float, code: str, epoch: datetime) -> str:
    """The number in a form such as `0.00%`; days are counted from the epoch."""
    if code == _GENERAL or len(code) > MOST_CODE:
        return general(value)
    forms = _forms(code)
    at = 1 if value < 0 and len(forms) > 1 else 2 if value == 0 and len(forms) > 2 else 0
    form = forms[at]
    pattern = form.pattern.lower()
    if "general" in pattern or "@" in pattern or "/?" in pattern or "/#" in pattern:
        return form.before.strip() + general(value) + form.after
    digits = _NUMBER.search(form.pattern)
    if not digits and any(letter in pattern for letter in (*_DAYS, *_CLOCK, "m")):
        return _moment(value, pattern, form.is_elapsed, epoch)
    if not digits:
        return (form.before + form.pattern + form.after).strip()
    sign = "-" if value < 0 and at != 1 else ""
    around = (form.before + form.pattern[: digits.start()], form.pattern[digits.end() :] + form.after)
    number = _digits(abs(value) * (100 if "%" in form.pattern else 1), digits[0])
    return f"{sign}{around[0]}{number}{around[1]}".strip()


def _digits(value: float, pattern: str) -> str:
    mantissa, _, exponent = pattern.upper().partition("E")
    whole, _, fraction = mantissa.partition(".")
    thousands = fraction.count(",")  # those behind the last digit divide; none stands between decimals
    fraction, value = fraction.rstrip(","), value / 1000**thousands
    most, least = len(fraction), fraction.count("0")
    if exponent:
        return f"{value:.{most}E}"
    while whole.endswith(","):
        whole, value = whole[:-1], value / 1000
    value *= 1 + 1e-12  # a half goes up, which 0.125 as a binary number might not
    text = f"{value:{',' if ',' in whole else ''}.{most}f}"
    digits, _, decimals = text.partition(".")
    decimals = decimals[:least] + decimals[least:].rstrip("0")
    return digits.zfill(whole.count("0")) + (f".{decimals}" if decimals else "")


def _moment(value: float, pattern: str, is_elapsed: bool, epoch: datetime) -> str:
    if not 0 <= value < _LATEST:
        return general(value)
    seconds = round(value * _DAY_SECONDS)
    has_clock = any(letter in pattern for letter in _CLOCK)
    if is_elapsed:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    moment = epoch + timedelta(seconds=seconds)
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    if not any(letter in pattern for letter in _DAYS) and has_clock:
        return clock
    return f"{moment:%Y-%m-%d} {clock}" if has_clock else f"{moment:%Y-%m-%d}"


@lru_cache(1000)
def _forms(code: str) -> tuple[_Form, ...]:
    """Those of positive, negative and zero numbers, as far as they differ."""
    forms, before, pattern, after, is_elapsed = [], "", "", "", False
    for quoted, escaped, currency, elapsed, letter in [*_PART.findall(code), ("", "", "", "", ";")]:
        literal = quoted or escaped or currency
        if letter == ";":
            forms.append(_Form(before, pattern, after, is_elapsed))
            before, pattern, after, is_elapsed = "", "", "", False
        elif elapsed:
            is_elapsed, pattern = True, pattern + elapsed
        elif letter:
            pattern += after + letter if after.isspace() else letter
        elif pattern.strip(" ($€£¥-+"):
            after += literal
        else:
            before, pattern = before + pattern + literal, ""
    return tuple(forms)
