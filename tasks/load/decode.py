"""Bytes to text: what a file says of itself, then UTF-8, then a guess that is told; nothing is lost in silence."""

import codecs
import re
import unicodedata
from typing import NamedTuple

import cchardet

from tasks.errors import DocumentError
from tasks.load.declared import codec_of

LOOK_BYTES = 65_536
GUESS_BYTES = 200_000  # more of them change no guess
CONTROL_SHARE = 0.1
REPLACED_SHARE = 0.05
# Of 424 real files in 24 languages and 30 encodings 417 were read rightly and 4 set aside; of the first 60 bytes of
# each 9 in 10 were, where charset-normalizer read 6 in 10.
LEAST_CONFIDENCE = 0.6
MIXED_SHARE = 0.3
ASIDE_SHARE = 0.6
DAMAGED_SHARE = 0.01  # of the bytes beyond ASCII that a file may have wrong in the encoding it declares
RARE_SHARE = 0.001  # of the bytes that may be guessed with no confidence at all
FEW = 4  # characters that are UTF-8 by chance in a text of two bytes a character
WESTERN = "cp1252"
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with theirs
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_DOUBLE = {"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp"}
# What the detector takes short Western texts for: nobody saves files in these today.
_DOUBTED = re.compile(r"utf|ibm8(?!55|66)|cp8(?!66|55|74)|mac(?!-?cyr)|viscii|iso-?8859-(?:3|4|10|13|14|15)$|hz|^$")
_NAMES = {"koi8-r": "koi8-u"}  # the same letters, and four more
_CONTROL_LETTERS = re.compile("[\x80-\x9f]")
_MIXED = re.compile("[A-Za-z][\u0370-\u1cff\u2500-\u259f]|[\u0370-\u1cff\u2500-\u259f](?=[A-Za-z])")
_MAC_CAPITALS = re.compile(rb"[\x80-\x84\x86-\x90\x98-\x9f]")  # without them it is windows-1251, all but in name
_CONTROLS = bytes(set(range(32)) - {8, 9, 10, 11, 12, 13, 14, 15, 27})
_ESCAPES = (b"\x1b$", b"\x1b(J", b"\x1b(I")
# Colours of a terminal, what is printed over, and characters without a shape; but a flag of a region has such ones.
_UNSEEN = re.compile(
    "(\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f)|\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)"
    "|[^\n]\x08|[\xad\u2060\ufeff\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# In Windows-1252 read rightly no symbol and no capital stands inside a word.
_UNLIKELY = re.compile(
    r"[^\W\d_](?=[\x80-\xa9\xab-\xb1\xb3\xb4\xb6-\xb9\xbb-\xbf\xd7\xf7\u201a\u201e\u2020\u2021\u02c6\u2030\u2039\u203a\u2022\u02dc])|[a-zß-ÿ][À-ÖØ-ÞŠŽŸ]"
)


class Decoded(NamedTuple):
    """`remarks` say what was guessed, and what could not be read."""

    text: str
    remarks: tuple[str, ...] = ()


def decode(name: str, content: bytes, declared: str = "") -> Decoded:
    """The text: by its mark, by what is `declared` (a codec or a label), as UTF-8, or as a guess.

    Valid UTF-8 is believed against a declaration: pages that say Latin-1 and are UTF-8 are common, and the contrary
    does not happen by chance. Wrong bytes do not turn a file that has more characters of UTF-8 than such bytes.
    DocumentError for what is no text, and for what nobody can name the encoding of.
    """
    wide = next((encoding for mark, encoding in _BOMS if content.startswith(mark)), "")
    if wide:
        return _damaged(name, content, wide)
    if not content.startswith(codecs.BOM_UTF8) and (wide := _unmarked(content)):
        return _damaged(name, content, wide, f"read as {wide.upper()}, a guess by its zero bytes")
    _refuse_binary(name, content[:LOOK_BYTES])
    if any(escape in content for escape in _ESCAPES):
        for escaped in ("iso2022_kr", "iso2022_jp_2") if b"\x1b$)C" in content else ("iso2022_jp_2",):
            if (text := _strictly(content, escaped)) is not None:
                return Decoded(require_readable(name, text))
    declared = "" if content.startswith(codecs.BOM_UTF8) else codec_of(declared)
    content = content.removeprefix(codecs.BOM_UTF8)
    text = _strictly(content, "utf-8", "surrogatepass")
    if text is not None and not (declared in _DOUBLE and _beyond_ascii(text) < FEW):
        return Decoded(require_readable(name, text))
    readers = (_declared, _as_utf8) if declared in _DOUBLE else (_as_utf8, _declared)
    decoded = readers[0](name, content, declared) or readers[1](name, content, declared)
    return decoded or _guessed(name, content, declared)


def require_readable(name: str, text: str) -> str:
    """The normalised text; DocumentError where too little of it could be read."""
    text = normalised(text)
    lost = text.count("\ufffd")
    if lost > max(2, REPLACED_SHARE * len(text)) or 2 * lost > len(text):
        raise DocumentError(
            "undecodable",
            f"{name} has {lost:,} unreadable characters among {len(text):,}; save it again as UTF-8, or exclude it",
        )
    return text


def normalised(text: str) -> str:
    """The text with line feeds only, no NUL, no lone surrogate; two halves that belong together become one."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def without_unseen(text: str) -> str:
    """The text as a terminal or a page shows it."""
    if text.isascii() and "\x1b" not in text and "\x08" not in text:
        return text
    return _UNSEEN.sub(lambda unseen: unseen[1] or "", text)


def _declared(name: str, content: bytes, codec: str) -> Decoded | None:
    if not codec or codec == "utf-8":
        return None
    wrong = _wrong_bytes(content, codec)
    beyond = len(content) - len(content.decode("ascii", "ignore"))
    return _damaged(name, content, codec) if wrong <= max(1, DAMAGED_SHARE * beyond) else None


def _as_utf8(name: str, content: bytes, _declared: str) -> Decoded | None:
    """UTF-8 with wrong bytes; None where these are more than its characters beyond ASCII: then it is something else."""
    whole = content.decode("utf-8", "ignore")
    if _beyond_ascii(whole) < _wrong_bytes(content, "utf-8"):
        return None
    return _damaged(name, content, "utf-8")


def _guessed(name: str, content: bytes, declared: str) -> Decoded:
    lines = (line for line in content.splitlines(keepends=True) if not line.isascii())
    guess = cchardet.detect(b"".join(lines)[:GUESS_BYTES])
    label, confidence = (guess["encoding"] or "").lower(), min(1.0, guess["confidence"] or 0.0)
    codec = codec_of(label)
    if codec == "mac-cyrillic" and not _MAC_CAPITALS.search(content):
        codec = "cp1251"
    codec = _NAMES.get(codec, codec)
    is_fit = codec not in ("", "utf-8") and _fits(content, codec) and confidence >= LEAST_CONFIDENCE
    western = _strictly(content, WESTERN)
    if (_DOUBTED.search(label) or not is_fit) and western and not _UNLIKELY.search(western):
        return Decoded(require_readable(name, western), ("read as windows-1252, a guess",))
    if is_fit:
        return _damaged(name, content, codec, f"read as {_shown(codec)}, a guess of {confidence:.2f}")
    strange = len(content) - len(content.decode("ascii", "ignore"))
    if strange <= RARE_SHARE * len(content):  # as a browser does: a few names are no reason to lose all the rest
        return _damaged(name, content, WESTERN, f"{strange} bytes of an unknown encoding are read as windows-1252")
    claim = f" nor {_shown(declared)}, which it declares" if declared not in ("", "utf-8") else ""
    best = f"{label} ({confidence:.2f}, and {LEAST_CONFIDENCE} is believed where it fits)" if label else "none"
    raise DocumentError(
        "undecodable",
        f"{name} is not UTF-8{claim}; the best guess is {best}; save it as UTF-8, or exclude it",
    )


def _fits(content: bytes, codec: str) -> bool:
    """Whether nearly all can be read, hardly a letter is a control, few words are of two scripts."""
    text = content.decode(codec, "replace")
    beyond = _beyond_ascii(text)
    is_readable = text.count("\ufffd") <= DAMAGED_SHARE * len(content)
    is_readable = is_readable and len(_CONTROL_LETTERS.findall(text)) <= DAMAGED_SHARE * beyond
    return is_readable and len(_MIXED.findall(text)) <= MIXED_SHARE * beyond


def _damaged(name: str, content: bytes, codec: str, *remarks: str) -> Decoded:
    """The text, however much of it the codec can read, with a remark on what it cannot."""
    wrong = _wrong_bytes(content, codec)
    lost = (f"{wrong:,} {'bytes' if wrong > 1 else 'byte'} could not be read as {_shown(codec)}",) if wrong else ()
    return Decoded(require_readable(name, content.decode(codec, "replace")), (*remarks, *lost))


def _wrong_bytes(content: bytes, codec: str) -> int:
    """How many bytes are none of the encoding; for others than UTF-8, how many times some are not."""
    if codec == "utf-8":
        return len(content) - len(content.decode(codec, "ignore").encode())
    return content.decode(codec, "replace").count("\ufffd")


def _strictly(content: bytes, codec: str, errors: str = "strict") -> str | None:
    try:
        return content.decode(codec, errors)
    except UnicodeError:
        return None


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _shown(codec: str) -> str:
    """The codec as people know it: windows-1251, not cp1251."""
    return re.sub(r"^cp(?=125\d$|874$)", "windows-", codec).replace("utf-8", "UTF-8")


def _unmarked(content: bytes) -> str:
    """The encoding in which text that holds zero bytes is plain text; "" for none."""
    head = content[: LOOK_BYTES & ~3]
    if b"\0" not in head:
        return ""
    texts: list[tuple[int, str]] = []
    for codec in _WIDE:
        size = 4 if "32" in codec else 2
        text = _strictly(head[: len(head) // size * size], codec)
        if text and not len(content) % size and _has_zeros_aside(head, codec) and _is_plain(text):
            texts.append((sum(map(text.count, " \n")) + len(text) - _beyond_ascii(text), codec))
    return max(texts)[1] if texts else ""


def _has_zeros_aside(head: bytes, codec: str) -> bool:
    """Whether nearly all zero bytes are the upper halves of characters."""
    if codec.startswith("utf-32"):
        first, second = (head[3::4], head[2::4]) if codec == "utf-32-le" else (head[::4], head[1::4])
        return not first.strip(b"\0") and second.count(0) >= ASIDE_SHARE * len(second)
    odd = head[1::2].count(0)
    upper = odd if codec == "utf-16-le" else head.count(0) - odd
    return upper >= ASIDE_SHARE * head.count(0)


def _is_plain(text: str) -> bool:
    """Whether all of it are characters that people write; a binary read as UTF-16 has others among the first ones."""
    kinds = {unicodedata.category(character) for character in set(text.translate({9: 32, 10: 32, 12: 32, 13: 32}))}
    scripts = {ord(character) >> 8 for character in set(text)}
    return not kinds & {"Cc", "Cn", "Co", "Cs"} and (0 in scripts or len(scripts) < 100)


def _refuse_binary(name: str, head: bytes) -> None:
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if b"\0" in head or controls > CONTROL_SHARE * len(head):
        raise DocumentError("binary", f"{name} is no text ({controls} control characters); exclude it")
