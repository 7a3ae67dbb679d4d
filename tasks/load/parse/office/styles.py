"""What the styles of a Word document make of its paragraphs and runs."""

import re
from functools import cache
from typing import NamedTuple
from xml.etree.ElementTree import Element

from tasks.load.parse.office.package import W

BODY_LEVEL = 9  # a paragraph at this outline level is no heading
LONGEST_CHAIN = 100  # of styles that are based on each other
FEWEST_HALF_POINTS = 4  # less is a finer line, and no script
_VAL = f"{W}val"
_WHITE = ("auto", "FFFFFF", "ffffff")
_TINY = ("0", "1", "2")  # half points
_OFF = ("0", "false", "off", "none")
_HEADING = re.compile(
    "(?:heading|head|überschrift|titre|título|titulo|titolo|kop|rubrik|overskrift|otsikko|nagłówek|nadpis|ba\u015fl\u0131k"
    r"|címsor|titlu|заголовок|επικεφαλίδα|标题|標題|見出し|제목|כותרת|عنوان) ?([1-9])",
)
_TITLES = {"title", "titel", "titre", "título", "titulo", "titolo", "tytuł", "название", "标题", "標題", "表題"}
_SUBTITLES = {"subtitle", "untertitel", "sous-titre", "subtítulo", "sottotitolo"}
_CODE = re.compile(
    r"(?:html preformatted|preformatted text|macro text|plain text|source(?: |_)?code|code(?: ?block| ?listing| text)?"
    r"|listing|verbatim|vorformatierter text|quelltext)(?: char)?"
)
_MONO = re.compile(
    r"courier|consol|menlo|monaco|mono\b|monospace|typewriter|lucida (?:console|sans typewriter)|\bcode\b"
)


class Look(NamedTuple):
    """How a run looks; None where it looks as what is around it does."""

    is_hidden: bool | None = None
    script: str | None = None
    is_struck: bool | None = None
    font: str | None = None
    is_pale: bool | None = None  # white, and no ground of its own

    def over(self, below: "Look") -> "Look":
        """The look of what has this one on a ground that has the other."""
        return Look(
            below.is_hidden if self.is_hidden is None else self.is_hidden,
            below.script if self.script is None else self.script,
            below.is_struck if self.is_struck is None else self.is_struck,
            below.font if self.font is None else self.font,
            below.is_pale if self.is_pale is None else self.is_pale,
        )

    @property
    def is_mono(self) -> bool:
        """Whether all its letters are as wide as each other, as those of code are."""
        return _is_mono(self.font or "")


class Style(NamedTuple):
    """`level` is an outline level from 0, `numbering` the ids of its list and of the level in it.

    `is_shaded`: its paragraphs have a ground of their own.
    """

    name: str = ""
    level: int = BODY_LEVEL
    is_title: bool = False
    is_code: bool = False
    numbering: tuple[str | None, str | None] = (None, None)
    look: Look = Look()
    is_shaded: bool = False


class Styles:
    """Those of one document, resolved when they are asked for."""

    def __init__(self, tree: Element) -> None:
        self._elements = {style.get(f"{W}styleId", ""): style for style in tree.iter(f"{W}style")}
        self._default = next(
            (
                style_id
                for style_id, style in self._elements.items()
                if style.get(f"{W}default") in ("1", "true") and style.get(f"{W}type") == "paragraph"
            ),
            "",
        )
        self._base = look_of(tree.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr"))
        self._known: dict[str, Style] = {}
        # Where all is set in a typewriter's letters they do not say that something is code.
        self.has_plain_mono = self.style("").look.is_mono

    def style(self, style_id: str) -> Style:
        """The default paragraph style for "" and for an style_id that no style has."""
        style_id = style_id if style_id in self._elements else self._default
        if style_id not in self._known:
            self._known[style_id] = self._resolved(style_id)
        return self._known[style_id]

    def look(self, style_id: str) -> Look:
        """What a character style, or one of tables, says itself."""
        look = Look()
        for element in self._chain(style_id):
            look = look.over(look_of(element.find(f"{W}rPr")))
        return look

    def _chain(self, style_id: str) -> list[Element]:
        """The style and those that it is based on."""
        chain: dict[str, Element] = {}
        while style_id in self._elements and style_id not in chain and len(chain) < LONGEST_CHAIN:
            chain[style_id] = self._elements[style_id]
            style_id = _val(chain[style_id].find(f"{W}basedOn")) or ""
        return list(chain.values())

    def _resolved(self, style_id: str) -> Style:
        chain = self._chain(style_id)
        names = [(_val(element.find(f"{W}name")) or "").lower() for element in chain]
        levels = (_val(element.find(f"{W}pPr/{W}outlineLvl")) for element in chain)
        level = next((int(level) for level in levels if level is not None), None)
        if level is None:
            level = next((level for name in names if (level := heading_level(name)) < BODY_LEVEL), BODY_LEVEL)
        kind = next((name for name in names if name in _TITLES or name in _SUBTITLES), "")
        look = self.look(style_id).over(self._base)
        numbering = [element.find(f"{W}pPr/{W}numPr") for element in chain]
        return Style(
            names[0] if names else "",
            BODY_LEVEL if level is None else level,
            kind in _TITLES,
            any(map(is_code_style, names)),
            (
                next((_val(one.find(f"{W}numId")) for one in numbering if one is not None), None),
                next((_val(one.find(f"{W}ilvl")) for one in numbering if one is not None), None),
            ),
            look,
            any(is_shaded(element.find(f"{W}pPr")) for element in chain),
        )


def is_shaded(properties: Element | None) -> bool:
    """Whether the properties of a paragraph or of a run set it on a ground that is not white."""
    shade = None if properties is None else properties.find(f"{W}shd")
    return shade is not None and (shade.get(f"{W}fill", "auto") not in _WHITE or shade.get(_VAL) == "solid")


def heading_level(name: str) -> int:
    """The outline level of a style of this name; that of the body where it is for none. The name in small letters."""
    match = _HEADING.fullmatch(name)
    return int(match[1]) - 1 if match else BODY_LEVEL


def is_title_style(name: str) -> bool:
    """Whether a style of this name is for the title of a document; the name in small letters."""
    return name in _TITLES


def is_code_style(name: str) -> bool:
    """Whether a style of this name is for code; the name in small letters."""
    return _CODE.fullmatch(name) is not None


def look_of(properties: Element | None) -> Look:
    """What the properties of a run say."""
    if properties is None or not len(properties):
        return Look()
    script = properties.find(f"{W}vertAlign")
    raise_by = properties.find(f"{W}position")
    fonts = properties.find(f"{W}rFonts")
    struck = [is_on(properties.find(f"{W}{name}")) for name in ("strike", "dstrike")]
    size, colour = _val(properties.find(f"{W}sz")) or "", _val(properties.find(f"{W}color"))
    has_ground = is_shaded(properties) or _val(properties.find(f"{W}highlight")) not in (None, "none", "white")
    return Look(
        True if size in _TINY else is_on(properties.find(f"{W}vanish")),
        _raised(raise_by) if script is None else script.get(_VAL, ""),
        next((one for one in struck if one is not None), None),
        None if fonts is None else fonts.get(f"{W}ascii", fonts.get(f"{W}hAnsi")),
        False if has_ground else None if colour is None else colour.upper() == "FFFFFF",
    )


def is_on(element: Element | None) -> bool | None:
    """A switch, which is on where it is there and does not say otherwise; None where it is not there."""
    return None if element is None else element.get(_VAL, "1") not in _OFF


def _raised(position: Element | None) -> str | None:
    """A script by hand: letters so many half points above the line or below it."""
    half_points = 0 if position is None else int(position.get(_VAL, "0"))
    if abs(half_points) < FEWEST_HALF_POINTS:
        return None
    return "superscript" if half_points > 0 else "subscript"


@cache
def _is_mono(font: str) -> bool:
    return _MONO.search(font.lower()) is not None


def _val(element: Element | None) -> str | None:
    return None if element is None else element.get(_VAL)
