"""Equations of Office documents in one line of text, such as E=mc^2 or (a+b)/2."""

import re
import unicodedata
from collections.abc import Callable
from xml.etree.ElementTree import Element

from tasks.load.parse.office.blocks import grouped
from tasks.load.parse.office.package import M, W

_VAL = f"{M}val"
_LETTERS = re.compile("[\U0001d400-\U0001d7ff]+")  # italic and bold ones, which are other characters
_OPEN = {M + name for name in ("f", "sSub", "sSup", "sSubSup", "limLow", "limUpp", "func")}
_UNSEEN = {f"{W}del", f"{W}moveFrom", f"{W}rPr"}


def linear(element: Element) -> str:
    """What stands in the element, from left to right."""
    text = ""
    is_open = False  # a letter would be taken for the end of what is before it
    for part in element:
        piece = _piece(part)
        if piece[:1].isalnum() and (is_open or _is_apart(text, piece, part.tag)):
            piece = " " + piece
        text += piece
        is_open = part.tag in _OPEN if piece else is_open
    return _LETTERS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


def _is_apart(before: str, piece: str, tag: str) -> bool:
    """Whether it is no part of what is before it: 2 1/2 is not 21/2, and z sin x has no word zsin."""
    if tag == f"{M}func":
        return before[-1:].isalnum()
    return tag in _OPEN and before[-1:].isdigit() and piece[0].isdigit()


def _piece(element: Element) -> str:
    tag = element.tag
    if tag in _UNSEEN or tag.endswith("Pr"):
        return ""
    if tag in (f"{M}t", f"{W}t"):
        return element.text or ""
    form = _FORMS.get(tag.removeprefix(M))
    return form(element) if form else "".join(map(_piece, element))


def _part(element: Element, name: str) -> str:
    """The part as it stands in an equation."""
    part = element.find(M + name)
    return "" if part is None else linear(part)


def _one(element: Element, name: str) -> str:
    """The part as one thing: a word such as max is one below, but not above."""
    part = _part(element, name)
    return part if name == "sub" and part.isalpha() else grouped(part)


def _option(element: Element, properties: str, name: str, usual: str) -> str:
    option = element.find(f"{M}{properties}/{M}{name}")
    return usual if option is None else option.get(_VAL, usual if name == "type" else "")


def _fraction(element: Element) -> str:
    """Numbers and letters in a row are a product, which needs no parentheses."""
    above, below = _part(element, "num"), _part(element, "den")
    if _option(element, "fPr", "type", "bar") == "noBar":
        return f"{above} over {below}"
    return "/".join(part if part.isalnum() else grouped(part) for part in (above, below))


def _scripts(element: Element) -> str:
    """Before the base as in ^14_6 C, or after it."""
    below, above = _one(element, "sub"), _one(element, "sup")
    scripts = (f"_{below}" if below else "") + (f"^{above}" if above else "")
    base = _part(element, "e")
    return f"{scripts} {base}" if element.tag == f"{M}sPre" else _based(base) + scripts


def _based(base: str) -> str:
    """What has a script: letters in a row are none together, as the c in mc^2."""
    return base if base.isalnum() else grouped(base)


def _root(element: Element) -> str:
    degree = _part(element, "deg")
    return f"sqrt{f'[{degree}]' if degree else ''}({_part(element, 'e')})"


def _sum(element: Element) -> str:
    sign = _option(element, "naryPr", "chr", "\u222b")
    below, above = _one(element, "sub"), _one(element, "sup")
    return sign + (f"_{below}" if below else "") + (f"^{above}" if above else "") + " " + _part(element, "e")


def _delimited(element: Element) -> str:
    begin, between, end = (
        _option(element, "dPr", name, usual) for name, usual in (("begChr", "("), ("sepChr", "|"), ("endChr", ")"))
    )
    return begin + between.join(map(linear, element.findall(f"{M}e"))) + end


def _function(element: Element) -> str:
    name, argument = _part(element, "fName"), _part(element, "e")
    return name + ("" if argument.startswith("(") else " ") + argument


def _accent(element: Element) -> str:
    return _part(element, "e") + _option(element, "accPr", "chr", "\u0302")


def _bar(element: Element) -> str:
    text = _part(element, "e")
    return text + "\u0305" if len(text) == 1 else f"bar({text})"


def _phantom(element: Element) -> str:
    return "" if _option(element, "phantPr", "show", "1") in ("0", "off", "false") else _part(element, "e")


def _matrix(element: Element) -> str:
    rows = (", ".join(map(linear, row.findall(f"{M}e"))) for row in element.findall(f"{M}mr"))
    return f"[{'; '.join(rows)}]"


_FORMS: dict[str, Callable[[Element], str]] = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _scripts,
    "limLow": lambda element: f"{_part(element, 'e')}_{_one(element, 'lim')}",
    "limUpp": lambda element: f"{_part(element, 'e')}^{_one(element, 'lim')}",
    "rad": _root,
    "nary": _sum,
    "d": _delimited,
    "func": _function,
    "acc": _accent,
    "bar": _bar,
    "phant": _phantom,
    "m": _matrix,
    "eqArr": lambda element: "; ".join(map(linear, element.findall(f"{M}e"))),
    "oMathPara": lambda element: "\n".join(map(linear, element.findall(f"{M}oMath"))),
}
