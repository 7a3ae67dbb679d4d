"""Pages that nest without end, for which any builder of trees takes the square of their length."""

import re
from collections.abc import Iterable
from itertools import accumulate
from operator import sub

from tasks.load.parse.page.names import names

DEEPEST = 400  # browsers draw the line at about 500
KEPT = 200
_TAG = re.compile(r"</?[a-zA-Z][^\s/<>]*")
_WHOLE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)[^<>]*>")
# A builder of trees looks through all open elements for an end without its beginning, and for each block and listing.
_BLOCKS = names(
    "address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer form"
    " header hgroup h1 h2 h3 h4 h5 h6 listing main marquee menu nav object ol pre ruby search section summary sup sub"
    " table ul"
)
_FORMATTING = names("a b big code em font i nobr s small strike strong tt u")
# These are empty, hold no element, or end where the next one begins.
_FLAT = names(
    "area base body br caption col colgroup dd dt embed frame head hr html iframe img input keygen li link meta noembed"
    " noframes noscript optgroup option p param script source style tbody td template textarea tfoot th thead title tr"
    " track wbr xmp"
)


def flattened(text: str) -> tuple[str, tuple[str, ...]]:
    """The page without the tags that are nested too deep, and a remark if there are any."""
    if text.count("<") <= DEEPEST or not _is_deep(map(_Steps().__getitem__, _TAG.findall(text))):
        return text, ()
    if not _is_deep(0 if _is_flat(tag) else -1 if tag[1] else 1 for tag in _WHOLE_TAG.finditer(text)):
        return text, ()
    depth = 0

    def shallow(match: re.Match[str]) -> str:
        nonlocal depth
        name = match[2].lower()
        if name in _FORMATTING or _is_flat(match):
            return "" if name in _FORMATTING else match[0]
        was_deep = depth > KEPT
        depth = max(0, depth - 1) if match[1] else depth + 1
        if not (was_deep if match[1] else depth > KEPT):
            return match[0]
        return " " if name in _BLOCKS else ""

    return _WHOLE_TAG.sub(shallow, text), (f"elements that are nested more than {KEPT} deep are read as plain text",)


def _is_deep(steps: Iterable[int]) -> bool:
    depths = list(accumulate(steps))
    return max(map(sub, depths, accumulate(depths, min)), default=0) > DEEPEST


def _is_flat(tag: re.Match[str]) -> bool:
    """Whether nothing nests in it: shapes of drawings end with their own tag, which HTML's own elements do not."""
    name = tag[2].lower()
    return name in _FLAT or (tag[0].endswith("/>") and name not in _BLOCKS and name not in _FORMATTING)


class _Steps(dict[str, int]):
    """How deep each tag leads: one down, one up, or neither."""

    def __missing__(self, tag: str) -> int:
        is_steep = tag[1:].lstrip("/").lower() not in _FLAT
        step = self[tag] = 0 if not is_steep else -1 if tag[1] == "/" else 1
        return step
