"""Bytes to text: no guessing, nothing lost in silence."""

import codecs
import re

from tasks.errors import DocumentError

LOOK_BYTES = 65_536
CONTROL_SHARE = 0.1
REPLACED_SHARE = 0.05
FALLBACK = "cp1252"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with theirs
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - {8, 9, 10, 11, 12, 13, 27})
_LENIENT = "surrogatepass"  # half a character is replaced later; any other error still decides against the encoding
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def decode(name: str, content: bytes) -> str:
    """The text: a byte order mark decides, then UTF-8, then Windows-1252; DocumentError for what is none."""
    encoding = next((encoding for mark, encoding in _BOMS if content.startswith(mark)), None)
    if encoding is None:
        _refuse_binary(name, content[:LOOK_BYTES])
    for candidate, errors in ((encoding, _LENIENT),) if encoding else (("utf-8", _LENIENT), (FALLBACK, "strict")):
        try:
            return require_readable(name, content.decode(candidate, errors))
        except UnicodeDecodeError:
            continue
    raise DocumentError(
        "undecodable",
        f"{name} is neither UTF-8 nor {encoding or FALLBACK}; save it as UTF-8, or exclude it",
    )


def require_readable(name: str, text: str) -> str:
    """The normalised text; DocumentError where too little of it could be read."""
    text = normalised(text)
    lost = text.count("\ufffd")
    if lost > REPLACED_SHARE * len(text):
        raise DocumentError(
            "undecodable",
            f"{name} has {lost:,} unreadable characters among {len(text):,}; save it again as UTF-8, or exclude it",
        )
    return text


def normalised(text: str) -> str:
    """The text with line feeds only, no NUL, no lone surrogate."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _refuse_binary(name: str, head: bytes) -> None:
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if b"\0" in head or controls > CONTROL_SHARE * len(head):
        raise DocumentError("binary", f"{name} is no text ({controls} control characters); exclude it")
