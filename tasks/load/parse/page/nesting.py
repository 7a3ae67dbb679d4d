"""Pages that nest without end, for which any builder of trees takes the square of their length."""

import re
from itertools import accumulate
from operator import sub

from tasks.load.parse.page.names import names

DEEPEST = 400  # browsers draw the line at about 500
KEPT = 200
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*")
_WHOLE_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)[^<>]*>")
# A builder of trees looks through all open elements for each of these; shapes in drawings are none of them.
_BLOCKS = names(
    "address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer form"
    " header hgroup h1 h2 h3 h4 h5 h6 listing main marquee menu nav object ol pre ruby search section summary sup sub"
    " table ul"
)
_FORMATTING = names("a b big code em font i nobr s small strike strong tt u")


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
        if name not in _BLOCKS:
            return "" if name in _FORMATTING else match[0]
        was_deep = depth > KEPT
        depth = max(0, depth - 1) if match[1] else depth + 1
        return " " if (was_deep if match[1] else depth > KEPT) else match[0]

    return _WHOLE_TAG.sub(shallow, text), (f"elements that are nested more than {KEPT} deep are read as plain text",)


class _Steps(dict[str, int]):
    """How deep each tag leads: one down, one up, or neither."""

    def __missing__(self, tag: str) -> int:
        name = tag[1:].lstrip("/").lower()
        is_steep = name in _BLOCKS or name in _FORMATTING
        step = self[tag] = 0 if not is_steep else -1 if tag[1] == "/" else 1
        return step
