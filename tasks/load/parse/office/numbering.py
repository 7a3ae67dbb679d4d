"""The numbers and bullets that Word puts before paragraphs."""

import re
from typing import NamedTuple
from xml.etree.ElementTree import Element

from tasks.load.parse.office.package import W

BULLET = "-"
DEEPEST = 9
_VAL = f"{W}val"
_PLACEHOLDER = re.compile(r"%([1-9])")
_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ["m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"],
        strict=True,
    )
)
MOST_ROMAN = 5000
_NO_START: tuple[int | None, ...] = (None,) * DEEPEST


class Level(NamedTuple):
    """`text` has %1 for the number of the first level; `restart` 0 counts on below every new number above."""

    form: str = "decimal"
    text: str = ""
    start: int = 1
    restart: int | None = None
    is_decimal: bool = False


class Numbering:
    """The lists of one document, as far as they have been counted."""

    def __init__(self, tree: Element) -> None:
        self._abstract = {one.get(f"{W}abstractNumId", ""): one for one in tree.iter(f"{W}abstractNum")}
        self._lists = {one.get(f"{W}numId", ""): one for one in tree.iter(f"{W}num")}
        self._levels: dict[str, dict[int, Level]] = {}
        self._styles = {  # the lists that a style of lists stands for
            _child(one, "styleLink"): name
            for name, one in self._abstract.items()
            if one.find(f"{W}styleLink") is not None
        }
        self._counts: dict[str, list[int | None]] = {}
        self._begun: set[str] = set()

    def label(self, list_id: str, depth: int) -> str:
        """What stands before the next paragraph of the list at this depth; "" for nothing."""
        abstract = self._abstract_id(list_id)
        levels = self._levels_of(list_id, abstract)
        level = levels.get(depth)
        if level is None:
            return ""
        counts = self._counts.setdefault(abstract, list(_NO_START))
        if list_id not in self._begun:
            self._begun.add(list_id)
            for over in self._overrides(list_id):
                if over.find(f"{W}startOverride") is not None:
                    counts[int(over.get(f"{W}ilvl", "0"))] = None
        before = counts[depth]
        counts[depth] = level.start if before is None else before + 1
        for deeper in range(depth + 1, DEEPEST):
            restart = levels.get(deeper, Level()).restart
            if restart is None or restart > depth:
                counts[deeper] = None
        if level.form == "bullet":
            return BULLET
        return self._text(level, levels, counts)

    def _text(self, level: Level, levels: dict[int, Level], counts: list[int | None]) -> str:
        def number(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            above = levels.get(at, Level())
            count = counts[at]
            return numeral(above.start if count is None else count, "decimal" if level.is_decimal else above.form)

        return _PLACEHOLDER.sub(number, level.text).strip()

    def _abstract_id(self, list_id: str) -> str:
        found = _child(self._lists.get(list_id, Element("none")), "abstractNumId")
        link = self._abstract.get(found, Element("none")).find(f"{W}numStyleLink")
        return found if link is None else self._styles.get(link.get(_VAL) or found, found)

    def _overrides(self, list_id: str) -> list[Element]:
        return self._lists.get(list_id, Element("none")).findall(f"{W}lvlOverride")

    def _levels_of(self, list_id: str, abstract: str) -> dict[int, Level]:
        if list_id not in self._levels:
            overrides = self._overrides(list_id)
            elements = [
                *self._abstract.get(abstract, Element("none")).iter(f"{W}lvl"),
                *(level for over in overrides for level in over.iter(f"{W}lvl")),
            ]
            levels = {int(one.get(f"{W}ilvl", "0")): _level(one) for one in elements}
            for over in overrides:
                depth, start = int(over.get(f"{W}ilvl", "0")), _child(over, "startOverride")
                if start and depth in levels:
                    levels[depth] = levels[depth]._replace(start=int(start))
            self._levels[list_id] = levels
        return self._levels[list_id]


def numeral(number: int, form: str) -> str:
    """The number as a form of Word's shows it; in digits where it is one of the rarer ones."""
    match form:
        case "none":
            return ""
        case "lowerLetter" | "upperLetter" if number > 0:
            letter = chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, DEEPEST)
            return letter if form == "lowerLetter" else letter.upper()
        case "lowerRoman" | "upperRoman" if 0 < number < MOST_ROMAN:
            letters = ""
            for value, roman in _ROMAN:
                letters += roman * (number // value)
                number %= value
            return letters if form == "lowerRoman" else letters.upper()
        case "decimalZero":
            return f"{number:02}"
        case _:
            return str(number)


def _level(element: Element) -> Level:
    restart = _child(element, "lvlRestart")
    return Level(
        _child(element, "numFmt") or "decimal",
        _child(element, "lvlText"),
        int(_child(element, "start") or "1"),
        int(restart) if restart else None,
        element.find(f"{W}isLgl") is not None,
    )


def _child(element: Element, name: str) -> str:
    child = element.find(W + name)
    return "" if child is None else child.get(_VAL, "")
