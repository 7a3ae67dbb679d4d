"""Pages that nest without end, for which any builder of trees takes the square of their length."""

import re
from itertools import accumulate
from operator import sub

from tasks.load.parse.page.names import names

DEEPEST = 400  # browsers draw the line at about 500
KEPT = 200
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*")
_WHOLE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)[^<>]*>")
# Elements without an end, and those whose end may be left out: they do not stand in each other by themselves.
_FLAT = names(
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th option "
    "optgroup thead tbody tfoot colgroup rt rp html head body"
)
_FORMATTING = names("a b big em font i nobr s small strike strong tt u span")


def flattened(text: str) -> tuple[str, tuple[str, ...]]:
    """The page without the tags that are nested too deep, and a remark if there are any."""
    if text.count("<") <= DEEPEST:
        return text, ()
    depths = list(accumulate(map(_Steps().__getitem__, _TAG.findall(text))))
    if max(map(sub, depths, accumulate(depths, min)), default=0) <= DEEPEST:
        return text, ()
    depth = 0

    def shallow(match: re.Match[str]) -> str:
        nonlocal depth
        name = match[2].lower()
        if name in _FLAT:
            return match[0]
        if name in _FORMATTING:
            return ""
        was_deep = depth > KEPT
        depth = max(0, depth - 1) if match[1] else depth + 1
        return " " if (was_deep if match[1] else depth > KEPT) else match[0]

    return _WHOLE_TAG.sub(shallow, text), (f"elements that are nested more than {KEPT} deep are read as plain text",)


class _Steps(dict[str, int]):
    """How deep each tag leads: one down, one up, or neither."""

    def __missing__(self, tag: str) -> int:
        name = tag[1:].lstrip("/").lower()
        step = self[tag] = 0 if name in _FLAT else -1 if tag[1] == "/" else 1
        return step
