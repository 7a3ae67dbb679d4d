"""What inline styles and attributes do to the text of a page: hide it, set it apart, raise it, strike it."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

UNSEEN_CLASSES = frozenset(
    (
        *(
            "sr-only",
            "visually-hidden",
            "visuallyhidden",
            "screen-reader-text",
            "screen-reader-only",
            "u-visually-hidden",
        ),
        *("MJX_Assistive_MathML", "material-icons", "material-icons-outlined", "material-symbols-outlined"),
    )
)
_TINY = 1.0  # pixels
_FAR = -999.0  # pixels: where nobody scrolls
_PIXELS = {"em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "vw": 10.0, "vh": 10.0, "pt": 1.33, "cm": 38.0, "in": 96.0}
_LENGTH = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))([a-z%]*)")
_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?|\\(.)", re.DOTALL)
_BLOCKS = ("block", "flex", "grid", "list-item", "table", "flow-root", "table-row", "table-cell", "table-caption")
_ROWS = ("flex", "grid", "inline-flex", "inline-grid")
_SAME = {"#fff": "white", "#ffffff": "white", "#000": "black", "#000000": "black"}
VISIBILITY, SIZE, COLOUR = 1, 2, 4  # ways to be unseen that a part may undo


class Effect(NamedTuple):
    """`mute` are ways in which text is unseen from here on, `unmute` those that end here.

    `display` is "block", "inline-block", "float", which is apart from other elements, or "" for as the element is; what
    stands in `is_row` is apart from one another.
    """

    is_hidden: bool = False
    mute: int = 0
    unmute: int = 0
    display: str = ""
    is_row: bool = False
    level: str = ""  # "sup" or "sub"
    is_struck: bool = False


NONE = Effect()


@lru_cache(maxsize=2048)
def effect_of(style: str) -> Effect:
    """The effect of the declarations in a `style` attribute."""
    values = declarations_in(style)
    mute, unmute = _muting(values)
    return Effect(
        _is_hidden(values),
        mute,
        unmute,
        display_of(values),
        values.get("display") in _ROWS,
        {"super": "sup", "sub": "sub"}.get(values.get("vertical-align", ""), ""),
        "line-through" in values.get("text-decoration", "") + values.get("text-decoration-line", ""),
    )


def display_of(values: Mapping[str, str]) -> str:
    """The `display` of an Effect."""
    display = values.get("display", "")
    if display in _BLOCKS:
        return "block"
    if display.startswith("inline-"):
        return "inline-block"
    is_aside = values.get("float") in ("left", "right") or values.get("position") in ("absolute", "fixed")
    return "float" if is_aside else ""


def is_hidden_by(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """Whether the attributes themselves hide the element; what a reader can open, such as a tab, is not hidden."""
    can_open = attributes.get("role") == "tabpanel"
    if "hidden" in attributes and not can_open and _value(attributes, "hidden") != "until-found":
        return True
    if "aria-hidden" in attributes and tag not in ("img", "math") and _value(attributes, "aria-hidden") == "true":
        return True
    return "popover" in attributes or (tag == "dialog" and "open" not in attributes)


def _value(attributes: Mapping[str, str | None], name: str) -> str:
    return (attributes[name] or "").strip().lower()


def is_off(values: Mapping[str, str]) -> bool:
    """Whether the values take the element off the page."""
    return values.get("display") == "none" or values.get("visibility") in ("hidden", "collapse")


def declarations_in(style: str) -> dict[str, str]:
    """Values by property, in lower case; the last one counts, but for an important one."""
    text = without_comments(style).lower()
    if "\\" in text:
        text = _ESCAPE.sub(lambda match: chr(min(int(match[1], 16), 0xFFFF)) if match[1] else match[2], text).lower()
    values: dict[str, str] = {}
    important: set[str] = set()
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.strip()
        plain, mark, word = value.rpartition("!")
        if mark and word.strip() == "important":
            values[name] = plain.strip()
            important.add(name)
        elif value and name not in important:
            values[name] = value
    return values


def _is_hidden(values: Mapping[str, str]) -> bool:
    if values.get("display") == "none" or values.get("content-visibility") == "hidden":
        return True
    if "opacity" in values and _pixels(values["opacity"]) == 0:
        return True
    return is_clipped(values) or is_far(values)


def is_clipped(values: Mapping[str, str]) -> bool:
    """Whether the values cut the element down to nothing."""
    clip, path = values.get("clip", ""), values.get("clip-path", "")
    if clip.startswith("rect") and all(abs(_pixels(side)) <= _TINY for side in re.split(r"[\s,]+", clip[5:-1].strip())):
        return True
    if path.startswith(
        ("inset(50%", "inset(100%", "circle(0", "ellipse(0", "polygon(0 0, 0 0", "polygon(0px 0px, 0px 0px")
    ):
        return True
    sides = ("width", "height", "max-width", "max-height", "line-height")
    is_tiny = any(abs(_pixels(values[side])) <= _TINY for side in sides if side in values and side != "line-height")
    is_tiny = is_tiny or ("line-height" in values and _pixels(values["line-height"]) == 0)
    overflow = " ".join(values.get(name, "") for name in ("overflow", "overflow-x", "overflow-y"))
    return is_tiny and any(word in overflow for word in ("hidden", "clip"))


def is_far(values: Mapping[str, str]) -> bool:
    """Whether the values put the element where nobody scrolls."""
    if values.get("text-indent", "") == "100%" and values.get("white-space") == "nowrap":
        return "hidden" in values.get("overflow", "")
    names = ["text-indent", "margin-left", "margin-top"]
    if values.get("position") in ("absolute", "fixed"):
        names += ["left", "top", "right", "bottom"]
    if any(_pixels(values[name]) <= _FAR for name in names if name in values):
        return True
    function, _, arguments = values.get("transform", "").partition("(")
    lengths = [_pixels(part) for part in re.split(r"[\s,]+", arguments.rstrip(") "))] if arguments else []
    if function.startswith("translate"):
        return any(length <= _FAR for length in lengths)
    return function.startswith("scale") and 0 in lengths


def _muting(values: Mapping[str, str]) -> tuple[int, int]:
    mute = unmute = 0
    visibility = values.get("visibility", "")
    if visibility in ("hidden", "collapse"):
        mute |= VISIBILITY
    elif visibility == "visible":
        unmute |= VISIBILITY
    size = values.get("font-size") or next(filter(_LENGTH.match, values.get("font", "").split()), "")
    length = _LENGTH.match(size)
    if length and abs(_pixels(size)) <= _TINY:
        mute |= SIZE
    elif size and not (length and length[2] in ("em", "%")) and size not in ("inherit", "larger", "smaller"):
        unmute |= SIZE
    colour = values.get("color", "")
    ground = values.get("background-color") or values.get("background", "")
    is_level = bool(colour) and _SAME.get(colour, colour) == _SAME.get(ground, ground)
    if (is_level or _is_clear(colour)) and "text" not in values.get("background-clip", "") + values.get(
        "-webkit-background-clip", ""
    ):
        mute |= COLOUR
    elif colour and colour not in ("inherit", "currentcolor"):
        unmute |= COLOUR
    return mute, unmute & ~mute


def _is_clear(colour: str) -> bool:
    if colour.startswith("#"):
        return (len(colour) == 9 and colour.endswith("00")) or (len(colour) == 5 and colour.endswith("0"))
    parts = re.split(r"[\s,/]+", colour.partition("(")[2].rstrip(") "))
    return colour == "transparent" or (len(parts) == 4 and _pixels(parts[3]) == 0)


def _pixels(value: str) -> float:
    """About how many; 100 for what is no length."""
    match = _LENGTH.match(value.strip())
    return float(match[1]) * _PIXELS.get(match[2], 1.0) if match else 100.0


def without_comments(text: str) -> str:
    """The style sheet without its comments."""
    first, *parts = text.split("/*")
    return first + "".join(part.partition("*/")[2] for part in parts)
