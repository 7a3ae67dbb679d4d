"""MathML in one line: (a+b)/2, x^2, √(y)."""

import re
from collections.abc import Callable, Sequence

from selectolax.lexbor import LexborNode

_SILENT = ("annotation", "annotation-xml", "mphantom")
_BEFORE = "mprescripts"
_UNWRITTEN = re.compile("[\u2061-\u2064]+")  # that a function is applied, and things multiplied or added
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OPEN_END = re.compile(r"[\^_/][^\W_]+$|[^\W\d_]{2}$")  # of what a letter or number behind it would be read as a part
MOST_NODES = 10_000


def formula(node: LexborNode) -> str:
    """TeX where the page has it, or what the presentation shows, written in a line."""
    alternative = node.attributes.get("alttext")
    if alternative:
        return without_style(alternative)
    source = node.css_first('annotation[encoding="application/x-tex"], annotation[encoding="TeX"]')
    if source is not None and (text := source.text()).strip():
        return without_style(text)
    return _linear(node)


def without_style(tex: str) -> str:
    """The source of a formula without what encyclopedias put round it."""
    text = " ".join(tex.split())
    prefix = "{\\displaystyle "
    return text[len(prefix) : -1].strip() if text.startswith(prefix) and text.endswith("}") else text


def _linear(root: LexborNode) -> str:
    path: list[tuple[LexborNode, list[str]]] = [(root, [])]
    node = root.first_child
    for _ in range(MOST_NODES):
        if node is not None:
            tag = node.tag or ""
            if tag == "-text":
                if text := " ".join(_UNWRITTEN.sub(" ", node.text_content or "").split()):
                    path[-1][1].append(text)
            elif node.is_element_node and tag not in _SILENT:
                path.append((node, []))
                node = node.first_child
                continue
            node = node.next
            continue
        element, parts = path.pop()
        if not path:
            return " ".join(_beside(parts).split())
        tag = element.tag or ""
        path[-1][1].append(_BEFORE if tag == _BEFORE else _combined(tag, parts))
        node = element.next
    return " ".join(root.text(separator=" ").split())


def _combined(tag: str, parts: list[str]) -> str:
    if tag == "mmultiscripts" and parts:
        return _scripts(parts)
    parts = [part for part in parts if part]
    count, form = _FORMS.get(tag, (0, "".join))
    if count in (len(parts), -1):
        parts = [part.strip() for part in parts]
        return form([_grouped(part) for part in parts] if count > 0 else parts)
    text = _beside(parts)
    return f" {text} " if tag in ("mtext", "mo") and len(text) > 1 and text.isalpha() else text


def _beside(parts: Sequence[str]) -> str:
    """What stands in a row: 2 1/2 is not 21/2, x^2 y is not x^2y, and sin x is no word."""
    text = ""
    for part in parts:
        text += f" {part}" if _is_apart(text, part) else part
    return text


def _is_apart(before: str, part: str) -> bool:
    """Digits of one number may come one by one, but not those of a number and a fraction or power behind it."""
    if not (before[-1:].isalnum() and part[:1].isalnum()):
        return False
    if _OPEN_END.search(before[-60:]):
        return True
    if part[0].isdigit():
        return not _NUMBER.fullmatch(part)
    return len(part) > 1 and part.isalpha()


def _scripts(parts: Sequence[str]) -> str:
    """Pairs of a subscript and a superscript, of which either may be empty, behind their base or before it."""
    at = parts.index(_BEFORE) if _BEFORE in parts else len(parts)
    before, after = (
        "".join(mark + _grouped(part) for mark, part in zip("_^" * len(pairs), pairs, strict=False) if part)
        for pairs in (parts[at + 1 :], parts[1:at])
    )
    return f" {before} {parts[0]}{after}" if before else parts[0] + after


def _grouped(part: str) -> str:
    is_one = len(part) == 1 or part.isalpha() or _NUMBER.fullmatch(part) or part.startswith("√(")
    return part if is_one else f"({part})"


_FORMS: dict[str, tuple[int, Callable[[Sequence[str]], str]]] = {  # of so many parts, or of any number
    "mfrac": (2, "/".join),
    **dict.fromkeys(("msup", "mover"), (2, "^".join)),
    **dict.fromkeys(("msub", "munder"), (2, "_".join)),
    **dict.fromkeys(("msubsup", "munderover"), (3, lambda parts: f"{parts[0]}_{parts[1]}^{parts[2]}")),
    "mroot": (2, lambda parts: f"{parts[0]}^(1/{parts[1]})"),
    "msqrt": (-1, lambda parts: f"√({''.join(parts)})"),
    "mtable": (-1, lambda parts: f"[{'; '.join(parts)}]"),
    "mtr": (-1, ", ".join),
    "mfenced": (-1, lambda parts: f"({', '.join(parts)})"),
}
