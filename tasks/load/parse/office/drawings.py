"""Text in what is drawn: charts, diagrams, symbols, and what somebody wrote about a picture."""

import re
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from tasks.load.parse.office.blocks import Block
from tasks.load.parse.office.package import DGM, MOST_FILE_NAME, A, C, Package, R

MOST_CHART_ROWS = 1_000
_FILE_NAME = re.compile(r"\S*_\S*|\S+\.(?:png|jpe?g|gif|bmp|tiff?|wmf|emf|svg)", re.IGNORECASE)
_ADDED = re.compile(r"(?:description )?(?:automatically generated|automatisch generiert).*", re.IGNORECASE | re.DOTALL)
# The fonts Symbol and Wingdings have their signs in the places of letters.
_SYMBOL = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\xa3\xb3\xb1\xb4\xb8\xb9\xba\xbb\xa5\xae\xac\xab\xb0\xd6\xe5"
        "\xf2\xb6\xd1\xce\xb7\xb2\xa2\xd7\xde\xdb\xc7\xc8\xcc\xc6\xb5\xa9",
        "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ≤≥±\xd7÷≠≡≈∞→←↔°√∑∫∂∇∈•″\u2032⋅⇒⇔∩\u222a⊂∅∝♥",
        strict=True,
    )
)
_WINGDINGS = dict(
    zip(
        "\xfc\xfb\xfd\xfe\xa8\x6f\xa7\xd8\xe0\xdf\xe8\xf0\x6c\x6e\x76\x4a\x4c\x28\x2a\x71\xa1\x9f\xe1\xe2",
        "✓✗☒☑☐☐▪➢→←➔⇨●■❖☺☹☎✉❑○•↑↓",
        strict=True,
    )
)
_PRIVATE = 0xF000
_SIGNS = {"symbol": _SYMBOL, "wingdings": _WINGDINGS}


def symbol(font: str, code: int) -> str:
    """The character that looks like the one in a font of signs; "" where none is known."""
    character = chr(code - _PRIVATE if _PRIVATE <= code < _PRIVATE + 256 else code)
    signs = _SIGNS.get(font.lower())
    if signs is None:
        return "" if code >= _PRIVATE and not character.isalnum() else character
    return signs.get(character, character if signs is _SYMBOL and character.isascii() else "")


def readable(font: str, text: str) -> str:
    """The text of a run, whose letters are signs in some fonts; it stays as it is where not all of them are known."""
    if font.lower() not in _SIGNS:
        return text
    signs = [character if character.isspace() else symbol(font, ord(character)) for character in text]
    return "".join(signs) if all(signs) else text


def description(element: Element) -> str:
    """What somebody wrote about a picture or shape; "" where a program put the file's name there."""
    text = _ADDED.sub("", element.get("descr") or element.get("alt") or "").strip()
    return "" if is_file_name(text) else text


def is_file_name(text: str) -> bool:
    """Whether a description is only the name of the picture's file."""
    return len(text) <= MOST_FILE_NAME and _FILE_NAME.fullmatch(text) is not None


def drawn(package: Package, element: Element, target: Callable[[str | None], str]) -> list[Block] | None:
    """The text of a chart or diagram that the element stands for; None for any other. `target` finds its part."""
    if element.tag == f"{C}chart":
        return _chart(package.tree(target(element.get(f"{R}id"))))
    if element.tag == f"{DGM}relIds":
        return _diagram(package.tree(target(element.get(f"{R}dm"))))
    return None


def _chart(tree: Element) -> list[Block]:
    """Title and titles of the axes, and the numbers as a table."""
    titles = (" ".join(_texts(title, f"{A}t")) for title in tree.iter(f"{C}title"))
    rows: dict[tuple[str, str], list[str]] = {}
    head = [""]
    for number, series in enumerate(tree.iter(f"{C}ser")):
        head.append(_name(series))
        names = _points(series, "cat") or _points(series, "xVal")
        for at, value in (_points(series, "val") or _points(series, "yVal")).items():
            row = rows.setdefault((at, names.get(at, "")), [])
            row += [*[""] * (number - len(row)), value]
    table = [head, *([name, *row] for (_, name), row in list(rows.items())[:MOST_CHART_ROWS])]
    return [*(Block("paragraph", title) for title in titles if title), *([Block("table", rows=table)] if rows else [])]


def _diagram(tree: Element) -> list[Block]:
    """The texts of the nodes, in the order in which they were written."""
    texts = ("".join(_texts(one, f"{A}t")).strip() for one in tree.iter(f"{A}p"))
    return [Block("item", f"- {text}") for text in texts if text]


def _points(series: Element, name: str) -> dict[str, str]:
    """The values as they were when the chart was last drawn, by their number."""
    part = series.find(C + name)
    points = [] if part is None else part.iter(f"{C}pt")
    return {point.get("idx", ""): value for point in points if (value := point.findtext(f"{C}v")) is not None}


def _name(series: Element) -> str:
    part = series.find(f"{C}tx")
    return "" if part is None else next(_texts(part, f"{C}v"), "")


def _texts(element: Element, tag: str) -> Iterator[str]:
    return filter(None, (one.text for one in element.iter(tag)))
