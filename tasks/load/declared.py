"""What a text file says of its own encoding, and what that name means."""

import codecs
import re

LOOK_BYTES = 4_096
_LINES = re.compile(rb"[^\n]*+\n?[^\n]*+")  # where Python, Emacs and vim look
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_XML = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.:-]+)""")
_META = re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_EDITOR = re.compile(rb"coding[ \t]*[:=][ \t]*([\w.-]+)")
_CHARSET = re.compile(rb"""@charset "([\w.:-]+)";""")
_INPUTENC = re.compile(rb"^[^%\n]*\\usepackage\[(\w+)\]\{inputenc\}", re.MULTILINE)
_ATTRIBUTE = re.compile(rb"^:encoding: +([\w.:-]+)", re.MULTILINE)
_PAGES = (".html", ".htm", ".xhtml", ".xht")
# What a name means on the web: supersets, for files are named after the set that their first author needed.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "windows-874": "cp874",
    "dos-874": "cp874",
    "windows-949": "cp949",
    "ansinew": "cp1252",
    "applemac": "mac-roman",
    "macintosh": "mac-roman",
    "latin9": "iso8859-15",
    "uhc": "cp949",
}
_NO_TEXT = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7"}
_PROBE = bytes(range(32, 127))


def declared_encoding(suffix: str, content: bytes) -> str:
    """The codec that the first bytes name; "" where they name none that a text of this kind can have."""
    head = content[:LOOK_BYTES]
    kinds = [_EDITOR.search(_LINES.match(head)[0])]  # type: ignore[index]  # it matches an empty text as well
    if head.lstrip().startswith(b"<?xml") or suffix in _PAGES:
        kinds = [_XML.match(head), *([_META.search(_COMMENT.sub(b"", head))] if suffix in _PAGES else ())]
    elif suffix == ".css":
        kinds = [_CHARSET.match(head)]
    elif suffix == ".tex":
        kinds.append(_INPUTENC.search(head))
    elif suffix in (".adoc", ".asciidoc", ".asc"):
        kinds.append(_ATTRIBUTE.search(head))
    return next((codec for match in kinds if match and (codec := codec_of(match[1].decode("ascii", "replace")))), "")


def codec_of(label: str) -> str:
    """Python's name for what the label means; "" for none, and for what would read plain ASCII as something else."""
    label = label.strip().lower()
    for name in (label, label.removeprefix("x-")):
        try:
            codec = codecs.lookup(_MEANT.get(name, name)).name
            codec = _MEANT.get(codec, codec)
            if codec not in _NO_TEXT and _PROBE.decode(codec) == _PROBE.decode("ascii"):
                return codec
        except (LookupError, UnicodeError, ValueError):
            continue
    return ""
