"""What stands within a line: white space as a browser has it, raised and lowered figures, code, and line breaks.

Until a line is whole, marks stand for what depends on the character after it; they are code points that are no
characters, and none of them is left in a line.
"""

import re

from tasks.load.parse.page.names import names

BREAK, CODE, APART, DIGIT_APART, LINK = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3", "\ufdd4"
_INVISIBLE = re.compile("[\xad\ufeff\u2060]")
_NO_BREAK = re.compile("(?<=[!-\u024f])\u200b+(?=[!-\u024f])")
_CODE = re.compile(f"(?<!\\w){CODE}([^{CODE}]*){CODE}(?!\\w)")
_PARAGRAPHS = re.compile(f"(?: ?{BREAK}){{2,}} ?")
_LINES = re.compile(f" ?{BREAK} ?")
_LETTER_APART = re.compile(f"{APART}+(?=\\w)")
_FIGURE_APART = re.compile(f"{DIGIT_APART}+(?=\\d)")
_LINKS_APART = re.compile(f"(?<=[^\\W\u2e80-\uffff]){LINK}(?=[^\\W\u2e80-\uffff])")
_LEFT_OVER = re.compile("[\ufdd0-\ufdd4]")
# What Markdown would take for a heading, a fence, an underline or an element, where a line begins.
_MARKUP = re.compile(
    r"^(?:(#{1,6}(?=[ \t]|$))|((?:=+|-+|\++)[ \t]*$)|(</?(?:h[1-6]|pre|script|style|textarea)\b|<!--|<[?!])"
    r"|((?:[-*+>]|\d{1,9}[.)])?[ \t]*)(?=`{3}|~{3}))",
    re.MULTILINE | re.IGNORECASE,
)
_MARKERS = "#=-+<`~*>0123456789"
_ORDINALS = names("st nd rd th e er re ère ème me ers a o lle mme")
_TRADE = {"tm": "™", "sm": "℠", "®": "®", "©": "©", "™": "™", "℠": "℠"}
_SHORT = re.compile(r"[-+\u2212\u2013±]?[\w∞°\u2032*†‡]+(?:[.,]\w+)*[-+\u2212\u2013]?")


def paragraphs(raw: str) -> list[str]:
    """The text of a line, in parts, as a browser shows it: white space folded, and broken where the page breaks it."""
    text = " ".join(raw.split())
    if text.isascii():
        return [guarded(text)] if text else []
    text = _CODE.sub(_ticked, text.replace(CODE + CODE, "")) if CODE in text else text
    text = _plain(text)
    parts = [_LINES.sub("\n", part).strip() for part in _PARAGRAPHS.split(text)] if BREAK in text else [text.strip()]
    return [guarded(whole) for part in parts if (whole := _LEFT_OVER.sub("", part))]


def one_line(raw: str) -> str:
    """The same as clean text, for titles: no code marks, no breaks, nothing escaped."""
    text = " ".join(raw.replace(BREAK, " ").replace(CODE, "").split())
    if text.isascii():
        return text
    return " ".join(_LEFT_OVER.sub("", _plain(text)).split())


def _plain(text: str) -> str:
    """Without what nobody sees, and apart what is to stand apart."""
    if _INVISIBLE.search(text):
        text = _INVISIBLE.sub("", text)
    if "\u200b" in text:
        text = _NO_BREAK.sub("", text)
    if _LEFT_OVER.search(text):
        text = _FIGURE_APART.sub(" ", _LETTER_APART.sub(" ", _LINKS_APART.sub(" ", text)))
    return text


def guarded(text: str) -> str:
    """The text with a backslash where a line begins like Markdown's markup and is none."""
    if text[:1] not in _MARKERS and "\n" not in text:
        return text
    return _MARKUP.sub(lambda match: (match[4] or "") + "\\" + (match[1] or match[2] or match[3] or ""), text)


def code(text: str) -> str:
    """Marked as code; its ticks are left out where they would split a word or open a fence."""
    text = text.replace(CODE, "")
    words = text.strip()
    if not words or "``" in words:
        return text
    start = text.index(words)
    return f"{text[:start]}{CODE}{words}{CODE}{text[start + len(words) :]}"


def raised(text: str, before: str, is_note: bool) -> str:
    """A superscript after the character `before`: 10^6, m^2, x^(n+1), 1st, a note as [3]."""
    words = text.strip()
    if not words:
        return text
    if is_note:
        return words if words.startswith(("[", "(")) else f"[{words}]"
    if words.lower() in _TRADE or (words.isalpha() and words.lower() in _ORDINALS and before.isalnum()):
        return _TRADE.get(words.lower(), words) + text[len(text.rstrip()) :]
    if words.startswith(("[", "(", "^")) or (not words[-1].isascii() and words[-1].isdigit()):
        return words + text[len(text.rstrip()) :]
    power = words if _SHORT.fullmatch(words) else f"({words})"
    return f"^{power}{APART}{text[len(text.rstrip()) :]}"


def lowered(text: str, before: str) -> str:
    """A subscript: H2O, x_i, 101_2."""
    words = text.strip()
    if not words:
        return text
    trailing = text[len(text.rstrip()) :]
    if words.isdigit() and (before.isalpha() or before in ")]"):
        return f"{words}{DIGIT_APART}{trailing}"
    return f"_{words if _SHORT.fullmatch(words) else f'({words})'}{APART}{trailing}"


def _ticked(match: re.Match[str]) -> str:
    words = match[1].strip()
    return f"`` {words} ``" if "`" in words else f"`{words}`"
