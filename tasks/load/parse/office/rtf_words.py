"""The words of Rich Text Format that mean something to a reader."""

import codecs
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tasks.load.parse.office.styles import Look

# A control word with its number, a byte, a control sign, a brace, the end of a line, and what is none of these.
TOKEN = re.compile(
    r"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-f]{2})|\\(.)|([{}])|([\r\n]+)|([^\\{}\r\n]+)|\\", re.I | re.S
)
_CHARSETS = {
    128: "cp932", 129: "cp949", 134: "cp936", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 77: "mac_roman", 255: "cp437",
}  # fmt: skip
SIGNS = {
    "emdash": "\u2014", "endash": "\u2013", "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c",
    "rdblquote": "\u201d", "bullet": "\u2022", "tab": "\t", "line": "\n", "emspace": " ", "enspace": " ", "~": "\xa0",
    "_": "-", "\\": "\\", "{": "{", "}": "}", "\t": "\t",
}  # fmt: skip
UNSEEN = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "objdata", "nonshppict", "fldinst", "datafield", "xe", "tc",
    "rxe", "txe", "themedata", "colorschememapping", "sn",
    "sv", "atnid", "atnauthor", "annotation", "bkmkstart", "bkmkend",
    "formfield", "filetbl", "revtbl", "rsidtbl", "latentstyles", "listtable", "listoverridetable", "pnseclvl", "title",
}  # fmt: skip
KEPT = {"title", "fldinst", "label", "stylesheet"}  # what is no text, but says something about it
MARGINS = {"header", "headerf", "headerl", "headerr", "footer", "footerf", "footerl", "footerr"}
PLAIN = Look()


@dataclass(frozen=True, slots=True)
class State:
    """What a group inherits from the one around it."""

    destination: str = ""  # "" is text that is shown; any other name is where it goes
    look: Look = PLAIN
    encoding: str = ""
    unicode_bytes: int = 1  # how many that follow a Unicode character stand in for it


class CodePages:
    """How bytes are to be read: those of the document, and those of each font."""

    def __init__(self) -> None:
        self.usual = "cp1252"
        self.font = 0
        self._fonts: dict[int, str] = {}

    @property
    def of_font(self) -> str:
        """The page of the current font; "" where it is that of the document."""
        return self._fonts.get(self.font, "")

    def set_charset(self, number: int | None) -> None:
        """Take the number of a set of characters for the current font's; one that nobody knows says nothing."""
        if number in _CHARSETS:
            self._fonts[self.font] = _CHARSETS[number]

    def set_usual(self, number: int | None) -> None:
        """Take the number of a code page for the document's; one that nobody knows says nothing."""
        with suppress(LookupError):
            self.usual = codecs.lookup(f"cp{number}").name


def whole(text: str) -> str:
    """The text with two halves of a character put together; one alone is none."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


LOOKS: dict[str, Callable[[Look, bool], Look]] = {
    "v": lambda look, is_on: look._replace(is_hidden=is_on),
    "deleted": lambda look, is_on: look._replace(is_hidden=is_on),
    **dict.fromkeys(("super", "up"), lambda look, is_on: look._replace(script="superscript" if is_on else None)),
    **dict.fromkeys(("sub", "dn"), lambda look, is_on: look._replace(script="subscript" if is_on else None)),
    "nosupersub": lambda look, _is_on: look._replace(script=None),
    "strike": lambda look, is_on: look._replace(is_struck=is_on or None),
}
