"""What the styles of an OpenDocument file make of paragraphs, words, lists and tables."""

from xml.etree.ElementTree import Element

from tasks.load.parse.office.numbering import BULLET
from tasks.load.parse.office.styles import Look, Style, is_code_style, is_title_style

_NAMES = "{urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE, DRAW, STYLE = (f"{_NAMES}{name}:1.0}}" for name in ("office", "text", "table", "drawing", "style"))
SVG, FO = (f"{_NAMES}{name}-compatible:1.0}}" for name in ("svg", "xsl-fo"))
XLINK = "{http://www.w3.org/1999/xlink}"
_PRESENTATION = f"{_NAMES}presentation:1.0}}"
_NONE = Element("none")


class OdfStyles:
    """Those of one file, resolved when they are asked for."""

    def __init__(self, *trees: Element) -> None:
        self._styles = {one.get(f"{STYLE}name", ""): one for tree in trees[::-1] for one in tree.iter(f"{STYLE}style")}
        self._lists = {one.get(f"{STYLE}name", ""): one for tree in trees for one in tree.iter(f"{TEXT}list-style")}
        faces = (one for tree in trees for one in tree.iter(f"{STYLE}font-face"))
        self._fonts = {one.get(f"{STYLE}name", ""): one.get(f"{SVG}font-family", "") for one in faces}
        self._known: dict[str, Style] = {}

    def style(self, name: str) -> Style:
        """One that says nothing where there is none of this name."""
        if name not in self._known:
            chain = self._chain(name)
            names = [_readable(one) for one in chain]
            look = Look()
            for one in chain:
                look = look.over(self._look(one))
            is_title, is_code = any(map(is_title_style, names)), any(map(is_code_style, names))
            self._known[name] = Style(next(iter(names[1:] or names), ""), is_title=is_title, is_code=is_code, look=look)
        return self._known[name]

    def numbering(self, style: str, depth: int) -> tuple[str, str, int]:
        """Form of the numbers at this depth of a list, or its bullet; what stands after them, and the first of them."""
        for level in self._lists.get(style, _NONE):
            if level.get(f"{TEXT}level") == str(depth + 1):
                is_number = level.tag == f"{TEXT}list-level-style-number"
                form = level.get(f"{STYLE}num-format", "") if is_number else BULLET
                return form, level.get(f"{STYLE}num-suffix", ""), int(level.get(f"{TEXT}start-value", "1"))
        return "" if style in self._lists else BULLET, "", 1

    def is_hidden_table(self, name: str) -> bool:
        """Whether a sheet of this style is hidden."""
        properties = self._styles.get(name, _NONE).find(f"{STYLE}table-properties")
        return properties is not None and properties.get(f"{TABLE}display") == "false"

    def is_hidden_page(self, name: str) -> bool:
        """Whether a slide of this style is hidden."""
        properties = self._styles.get(name, _NONE).find(f"{STYLE}drawing-page-properties")
        return properties is not None and properties.get(f"{_PRESENTATION}visibility") == "hidden"

    def _chain(self, name: str) -> list[Element]:
        chain: dict[str, Element] = {}
        while name in self._styles and name not in chain:
            chain[name] = self._styles[name]
            name = chain[name].get(f"{STYLE}parent-style-name", "")
        return list(chain.values())

    def _look(self, style: Element) -> Look:
        properties = style.find(f"{STYLE}text-properties")
        if properties is None:
            return Look()
        position = properties.get(f"{STYLE}text-position", "")
        height = position.split(" ")[0]
        script = "superscript" if height == "super" or height.rstrip("%").strip("0").isdigit() else ""
        script = "subscript" if height == "sub" or height.startswith("-") else script
        struck = properties.get(f"{STYLE}text-line-through-style")
        display = properties.get(f"{TEXT}display")
        font = properties.get(f"{STYLE}font-name", "")
        family = properties.get(f"{FO}font-family") or self._fonts.get(font, font)
        return Look(
            display == "none" if display else None,
            script if position else None,
            struck != "none" if struck else None,
            family or None,
        )


def _readable(style: Element) -> str:
    """The name as its writer sees it, in small letters."""
    name = style.get(f"{STYLE}display-name") or style.get(f"{STYLE}name") or ""
    return name.replace("_20_", " ").lower()
