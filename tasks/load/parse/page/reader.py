"""A walk over a page's tree that writes down what is seen; without recursion, for pages nest without end."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from selectolax.lexbor import LexborNode

from tasks.load.parse.page.flow import Block, Flow, struck
from tasks.load.parse.page.inline import APART
from tasks.load.parse.page.listing import fenced, language_of, listing
from tasks.load.parse.page.names import names
from tasks.load.parse.page.sheet import Sheet
from tasks.load.parse.page.style import NONE, UNSEEN_CLASSES, VISIBILITY, Effect, effect_of, is_hidden_by
from tasks.load.parse.page.table import Table

End = Callable[[], None]
Attributes = Mapping[str, str | None]
Begin = Callable[["Reader", LexborNode, Attributes], End | None]
BLOCKS = names(
    "address article body center details dialog dir div dl fieldset figcaption figure form frameset "
    "header hgroup html legend listing main menu multicol optgroup p plaintext search section summary "
    "textarea marquee footer aside layer tbody tfoot colgroup xmp"
)
SKIPPED = names(
    "style noscript template head title meta link base param source track area datalist noembed "
    "noframes rp colgroup col desc defs symbol metadata clippath clipPath mask pattern marker"
)
_COUNTED = names("iframe frame object embed applet audio video canvas")
_IN_HEADING = names("div header center hgroup section article")  # do not end one
_WHOLE = ("html", "body")  # hidden only until a script shows the page
_SENTENCES = names("p span a b em strong i h1 h2 h3 h4 h5 h6")
_PERMALINKS = names("¶ # § 🔗 ⚓ ⚓︎ ↑ ↩ ↩︎ ↵ ⤴ ∞ permalink link")
_FORMULAS = ("katex", "mjx", "MathJax", "mwe-math")
_WORD = re.compile(r"[^\W_]{2,}|\d")
_COUNT = re.compile(r"\s*\d{1,4}(?:\.\d{1,4})*+\.?\s*")
_HIDDEN = Effect(is_hidden=True)
MOST_NAVIGATIONS = 3  # within each other


def nothing() -> None:
    """End an element that leaves no trace."""


class Reader:
    """`navigation_words`, `sheet_words` and `silent_words` count what is left out, `unread` what is no text.

    `is_whole` keeps navigation.
    """

    def __init__(self, begins: Mapping[str, Begin], sheet: Sheet, is_whole: bool = False) -> None:
        self.flow = Flow()
        self.tables: list[Table] = []
        self.lists: list[tuple[str, int]] = []
        self.navigation_words = 0
        self.sheet_words = 0
        self.silent_words = 0
        self.unread: Counter[str] = Counter()
        self.remarks: list[str] = []
        self.explained: set[str] = set()
        self.readings: list[list[str]] = []
        self._begins = begins
        self._sheet = sheet
        self._styled = sheet.tags | {"dialog"}
        self._is_whole = is_whole
        self._muted = 0
        self._navigations = 0
        self._rows: set[int] = set()  # elements whose parts stand apart

    def read(self, root: LexborNode) -> list[Block]:
        """The blocks of everything below."""
        path: list[tuple[LexborNode, End]] = []
        node = root
        while True:
            end = self._begin(node)
            if end is not None:
                child = node.first_child
                if child is not None:
                    path.append((node, end))
                    node = child
                    continue
                end()
            while path:
                after = node.next
                if after is not None:
                    node = after
                    break
                node, end = path.pop()
                end()
            else:
                break
        self.flow.flush()
        return self.flow.blocks

    def say(self, text: str) -> None:
        """Write text apart from its neighbours."""
        if not self._muted and text:
            self.flow.words += (" ", text, " ")

    def write(self, text: str) -> None:
        """Write text that is no part of the words beside it."""
        if not self._muted and text:
            self.flow.words += (" " if self.flow.last().isalnum() else "", text, APART)

    def block(self) -> End:
        """Begin a block that only ends lines."""
        self.flow.flush()
        return self._flush

    def spaced(self) -> End:
        """Begin what stands in the line, but apart."""
        self.flow.words.append(" ")
        return self._space

    def pre(self, node: LexborNode) -> None:
        """Write a listing."""
        if not self._muted and (block := fenced(listing(node, self.hides), language_of(node))):
            self.flow.add(block)

    def hides(self, node: LexborNode, tag: str) -> bool:
        """Whether nobody sees the element."""
        attributes = node.attributes
        return bool(attributes) and self._effect(node, tag, attributes).is_hidden

    def _begin(self, node: LexborNode) -> End | None:
        """None where nothing below is to be read."""
        tag = node.tag or "-"
        if self._rows and node.parent is not None and node.parent.mem_id in self._rows:
            self.flow.words.append(" ")
        if tag == "-text":
            if not self._muted:
                self.flow.words.append(node.text_content or "")
            return None
        if tag[0] in "-!" or tag in SKIPPED:
            return None
        attributes = node.attributes if tag not in _WHOLE else {}
        effect = self._effect(node, tag, attributes) if attributes or tag in self._styled else NONE
        if not effect.is_hidden and tag in _COUNTED:
            self.unread[tag] += 1
        if effect.is_hidden or tag in _COUNTED:
            return None
        if effect is NONE:
            return self._element(node, tag, attributes)
        return self._affected(node, tag, attributes, effect)

    def _element(self, node: LexborNode, tag: str, attributes: Attributes) -> End | None:
        if attributes.get("role") in ("navigation", "heading"):
            tag = "nav" if attributes["role"] == "navigation" else "h1"
        begin = self._begins.get(tag)
        if begin is not None:
            return begin(self, node, attributes)
        if tag in BLOCKS:
            return self.spaced() if self.flow.level and tag in _IN_HEADING else self.block()
        return self._custom(node) if "-" in tag else nothing

    def _affected(self, node: LexborNode, tag: str, attributes: Attributes, effect: Effect) -> End | None:
        """The element with what its style says of it."""
        muted, flow = self._muted, self.flow
        self._muted = muted & ~effect.unmute | effect.mute
        tag = effect.level or tag
        self._lay_out(node, effect)
        is_apart = effect.display not in ("", "float") and tag not in BLOCKS
        end = self._element(node, tag, attributes)
        if end is None:
            self._muted = muted
            return None
        if effect.is_struck and flow.struck is None:
            end = self.strike(end)
        between = self._flush if effect.display == "block" else self._space
        if is_apart and not flow.level:
            between()
        whole = end

        def restore() -> None:
            whole()
            if is_apart:
                (self._space if self.flow.level else between)()
            self._muted = muted

        return restore

    def _lay_out(self, node: LexborNode, effect: Effect) -> None:
        """Set the parts of a row apart, and what floats from the element before it; not the first letter of a text."""
        if effect.is_row:
            self._rows.add(node.mem_id)
        if effect.display == "float" and node.prev is not None and node.prev.is_element_node:
            self._space()

    def strike(self, end: End) -> End:
        """Mark what follows as deleted, up to the end."""
        flow = self.flow
        if flow.struck is not None:
            return end
        flow.struck = flow.mark()

        def finish() -> None:
            if flow.struck and (text := flow.take(flow.struck)):
                flow.words.append(struck(text))
            flow.struck = None
            end()

        return finish

    def navigation(self, node: LexborNode) -> End | None:
        """Leave out a list of links to other places; what has more text than links is no such list."""
        if self._is_whole or self._navigations >= MOST_NAVIGATIONS:
            return self.block()
        words = len(node.text(separator=" ").split())
        linked = sum(len(link.text(separator=" ").split()) for link in node.css("a, button, summary, label, select"))
        if 2 * linked >= words:
            self.navigation_words += words
            self.flow.flush()
            return None
        self._navigations += 1
        self.flow.flush()

        def end() -> None:
            self._navigations -= 1
            self.flow.flush()

        return end

    def _effect(self, node: LexborNode, tag: str, attributes: Attributes) -> Effect:
        style = attributes.get("style")
        effect = effect_of(style) if style else NONE
        classes = (attributes.get("class") or "").split()
        if is_hidden_by(tag, attributes) or (classes and not UNSEEN_CLASSES.isdisjoint(classes)):
            is_decoration = "aria-hidden" in attributes and "hidden" not in attributes and not effect.is_hidden
            if is_decoration and _COUNT.fullmatch(node.text()):
                return effect  # of a section, which those who listen hear otherwise
            self.silent_words += _words_for_eyes(node, classes) if is_decoration else 0
            return _HIDDEN
        if not self._sheet or effect.is_hidden or effect.display not in ("", "float"):
            return effect
        ruled = self._sheet.effect(node, tag, attributes)
        if ruled.is_hidden and not effect.unmute & VISIBILITY:
            self.sheet_words += len(node.text(separator=" ").split())
            return ruled
        return ruled if effect is NONE else effect

    def _custom(self, node: LexborNode) -> End:
        """Components are told apart where only tags stand between them, and from text where it is no sentence's."""
        in_line = node.parent is not None and node.parent.tag in _SENTENCES
        before, after = node.prev, node.next
        if before is not None and not (in_line and before.tag == "-text"):
            self.flow.words.append(" ")
        is_apart = after is None or not (in_line and after.tag == "-text")
        return self._space if is_apart and (after is not None or not in_line) else nothing

    def _flush(self) -> None:
        self.flow.flush()

    def _space(self) -> None:
        self.flow.words.append(" ")


def _words_for_eyes(node: LexborNode, classes: Collection[str]) -> int:
    """How many words somebody sees, but none who listens; not those of a formula, which is there a second time."""
    if any(name.startswith(_FORMULAS) for name in classes):
        return 0
    return len(_WORD.findall(node.text(separator=" ")))


def is_permalink(text: str) -> bool:
    """Whether the text of a link is only the mark of the place it stands at."""
    return not text or text.lower() in _PERMALINKS


def wrapped(text: str, before: str, after: str) -> str:
    """The words between marks, white space outside."""
    words = text.strip()
    return text.replace(words, f"{before}{words}{after}", 1) if words else text
