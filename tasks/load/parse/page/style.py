"""What inline styles, attributes and a page's own rules do to its text: hide it, set it apart, raise it, strike it."""

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import NamedTuple

from selectolax.lexbor import LexborNode

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
_COMPOUND = re.compile(r"(?:([a-z][\w-]*)|\*)?((?:[.#][\w-]+|\[[\w-]+(?:=[\"']?[\w-]*[\"']?)?\])*)", re.IGNORECASE)
_KEYS = re.compile(r"[.#][\w-]+|\[[^\]]*\]")
_PASSING = re.compile(r"\[(?:hidden|[\w-]*cloak)")  # until a program has run, or somebody has opened it
_SAME = {"#fff": "white", "#ffffff": "white", "#000": "black", "#000000": "black"}
_SEEN_MEDIA = ("@media screen", "@media all", "@media only screen", "@supports", "@layer")
VISIBILITY, SIZE, COLOUR = 1, 2, 4  # ways to be unseen that a part may undo


class Effect(NamedTuple):
    """`mute` are ways in which text is unseen from here on, `unmute` those that end here."""

    is_hidden: bool = False
    mute: int = 0
    unmute: int = 0
    display: str = ""  # "block", "inline-block" or as the element is
    level: str = ""  # "sup" or "sub"
    is_struck: bool = False


NONE = Effect()
_SHOWN = Effect(display="inline")


@lru_cache(maxsize=2048)
def effect_of(style: str) -> Effect:
    """The effect of the declarations in a `style` attribute."""
    values = _declarations(style)
    display = values.get("display", "")
    mute, unmute = _muting(values)
    return Effect(
        _is_hidden(values),
        mute,
        unmute,
        "block" if display in _BLOCKS else "inline-block" if display.startswith("inline-") else "",
        {"super": "sup", "sub": "sub"}.get(values.get("vertical-align", ""), ""),
        "line-through" in values.get("text-decoration", "") + values.get("text-decoration-line", ""),
    )


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


class _Compound(NamedTuple):
    """`keys` are classes as `.a`, an id as `#a`, attributes as `[a]`, `[a=b]`; `is_child` of what stands before it."""

    tag: str
    keys: frozenset[str]
    is_child: bool = False

    def matches(self, tag: str, keys: Set[str]) -> bool:
        return self.tag in ("", tag) and self.keys <= keys


class _Rule(NamedTuple):
    """`above` are those around the element, the nearest first."""

    subject: _Compound
    above: tuple[_Compound, ...]
    effect: Effect


class Sheet:
    """The rules of a page's style elements for elements by class, id, attribute, name, and what they stand in.

    Those that hide count where no other rule shows the same class again: what a reader can open is not hidden.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        rules: dict[str, list[_Rule]] = {}
        shown: set[str] = set()
        for selectors, declarations in _rules(sources):
            effect = _rule_effect(declarations)
            if effect is None:
                continue
            for selector in selectors.split(","):
                chain = _chain(selector)
                subject = chain[-1] if chain else None
                if len(chain) > 1 and effect.is_hidden and not _is_off(_declarations(declarations)):
                    continue  # what is only set aside may be a formula's words for those who listen to it
                if effect == _SHOWN:
                    shown.update(_KEYS.findall(selector) or ([subject.tag] if subject else []))
                elif subject and (subject.keys or subject.tag):
                    key = min(subject.keys, default=subject.tag)
                    rules.setdefault(key, []).append(_Rule(subject, tuple(chain[-2::-1]), effect))
        self._rules = {
            key: kept
            for key, found in rules.items()
            if (kept := [rule for rule in found if not _is_shown(rule, shown)])
        }
        self.tags = frozenset(key for key in self._rules if key[0] not in ".#[")
        self._has_attributes = any("[" in key for key in self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def effect(self, node: LexborNode, tag: str, attributes: Mapping[str, str | None]) -> Effect:
        """What the rules do to the element."""
        keys = self._keys(attributes)
        for key in (*keys, tag):
            for rule in self._rules.get(key, ()):
                if rule.subject.matches(tag, keys) and self._is_below(node, rule):
                    return rule.effect
        return NONE

    def _keys(self, attributes: Mapping[str, str | None]) -> Set[str]:
        keys = {f".{name}" for name in (attributes.get("class") or "").split()}
        keys.add(f"#{attributes.get('id')}")
        if self._has_attributes:
            keys.update(f"[{name}]" for name in attributes)
            keys.update(f"[{name}={value}]" for name, value in attributes.items())
        return keys

    def _is_below(self, node: LexborNode, rule: _Rule) -> bool:
        """Whether the element stands where the rule wants it."""
        around, is_next = node.parent, rule.subject.is_child
        for wanted in rule.above:
            while around is not None and not (
                around.is_element_node and wanted.matches(around.tag or "", self._keys(around.attributes))
            ):
                around = None if is_next else around.parent
            if around is None:
                return False
            around, is_next = around.parent, wanted.is_child
        return True


def _chain(selector: str) -> list[_Compound]:
    """The parts of a selector; none for one with others than elements in elements."""
    chain: list[_Compound] = []
    is_child = False
    for word in selector.replace(">", " > ").split():
        found = _COMPOUND.fullmatch(word)
        if word != ">" and (not found or _PASSING.search(word)):
            return []
        if found:
            keys = (re.sub("[\"']", "", key) for key in _KEYS.findall(word))
            chain.append(_Compound((found[1] or "").lower(), frozenset(keys), is_child))
        is_child = word == ">"
    return chain


def _is_shown(rule: _Rule, shown: Set[str]) -> bool:
    """Whether another rule shows the same again: then a reader can open it."""
    subject, above = rule.subject, rule.above
    keys = subject.keys.union(*(one.keys for one in above)) or {subject.tag}
    return bool(keys & shown) or (not subject.keys and subject.tag in shown)


def _rule_effect(declarations: str) -> Effect | None:
    """None for a rule that neither hides nor shows nor changes the meaning of text."""
    values = _declarations(declarations)
    is_moving = values.keys() & {"max-height", "transition", "animation"}
    is_aside = not is_moving and (_is_clipped(values) or _is_far(values))
    if is_aside or _is_off(values):
        return Effect(is_hidden=True)
    effect = effect_of(declarations[:1000])
    if effect.level or effect.is_struck:
        return Effect(level=effect.level, is_struck=effect.is_struck)
    return _SHOWN if values.keys() & {"display", "visibility"} else None


def _is_off(values: Mapping[str, str]) -> bool:
    return values.get("display") == "none" or values.get("visibility") in ("hidden", "collapse")


def _declarations(style: str) -> dict[str, str]:
    """Values by property, in lower case; the last one counts, but for an important one."""
    text = _without_comments(style).lower()
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
    return _is_clipped(values) or _is_far(values)


def _is_clipped(values: Mapping[str, str]) -> bool:
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


def _is_far(values: Mapping[str, str]) -> bool:
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


def _without_comments(text: str) -> str:
    first, *parts = text.split("/*")
    return first + "".join(part.partition("*/")[2] for part in parts)


def _rules(sources: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Selectors and declarations that count on a screen of any size."""
    for source in sources:
        preludes: list[str] = []
        text = ""
        for piece in re.split(r"([{}])", _without_comments(source)):
            if piece == "{":
                preludes.append(text.rpartition(";")[2].strip())
            elif piece == "}" and preludes:
                selectors = preludes.pop()
                if not selectors.startswith("@") and all(_is_on(media) for media in preludes):
                    yield selectors, text
            text = piece


def _is_on(media: str) -> bool:
    return media.lower().startswith(_SEEN_MEDIA) and "(" not in media.replace("@supports", "").partition("@media")[2]
