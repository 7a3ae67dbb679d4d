"""What the rules of a page's own style elements do to its text."""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from tasks.load.parse.page.style import (
    NONE,
    Effect,
    declarations_in,
    effect_of,
    is_clipped,
    is_far,
    is_off,
    without_comments,
)

_COMPOUND = re.compile(r"(?:([a-z][\w-]*)|\*)?((?:[.#][\w-]+|\[[\w-]+(?:=[\"']?[\w-]*[\"']?)?\])*)", re.IGNORECASE)
_KEYS = re.compile(r"[.#][\w-]+|\[[^\]]*\]")
_PASSING = re.compile(r"\[(?:hidden|[\w-]*cloak)")  # until a program has run, or somebody has opened it
_SEEN_MEDIA = ("@media screen", "@media all", "@media only screen", "@supports", "@layer")
MOST_NESTED = 12  # rules for one key that ask what an element stands in: each walks up the page from each element
_SHOWN = Effect(display="inline")
_OPENED = Effect(display="inline-block")  # what a reader can open
_SHOWING = {"display", "visibility"}


class _Compound(NamedTuple):
    """`keys` are classes as `.a`, an id as `#a`, attributes as `[a]`, `[a=b]`; `is_child` of what stands before it."""

    tag: str
    keys: frozenset[str]
    is_child: bool = False

    def matches(self, tag: str, keys: Set[str]) -> bool:
        return self.tag in ("", tag) and self.keys <= keys


class _Rule(NamedTuple):
    """`above` are those around the element, the nearest first."""

    subject: _Compound
    above: tuple[_Compound, ...]
    effect: Effect


class Sheet:
    """The rules of a page's style elements for elements by class, id, attribute, name, and what they stand in.

    Those that hide count where no other rule shows the same class again: what a reader can open is not hidden.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        rules: dict[str, list[_Rule]] = {}
        layout: dict[str, list[_Rule]] = {}
        shown: set[str] = set()
        for selector, chain, effect in _effective(sources):
            subject = chain[-1] if chain else None
            if effect.display not in ("", "float"):
                shown.update(_KEYS.findall(selector) or ([subject.tag] if subject else []))
            if subject and (subject.keys or subject.tag) and effect != _SHOWN:
                key = min(subject.keys, default=subject.tag)
                found = (layout if effect.display else rules).setdefault(key, [])
                if len(chain) == 1 or len(found) < MOST_NESTED:
                    found.append(_Rule(subject, tuple(chain[-2::-1]), effect))
        for key, found in rules.items():
            layout.setdefault(key, []).extend(rule._replace(effect=_OPENED) for rule in found if _is_shown(rule, shown))
        self._rules = {key: [rule for rule in found if not _is_shown(rule, shown)] for key, found in rules.items()}
        self._layout = layout
        self._keyed = names = {key for table in (self._rules, layout) for key, found in table.items() if found}
        self.tags = frozenset(key for key in names if key[0] not in ".#[")
        self._has_attributes = any("[" in key for key in names)

    def __bool__(self) -> bool:
        return bool(self._keyed)

    def effect(self, node: LexborNode, tag: str, attributes: Mapping[str, str | None]) -> Effect:
        """What the rules do to the element."""
        keys = self._keys(attributes)
        for rules in (self._rules, self._layout):
            for key in (*keys, tag):
                for rule in rules.get(key, ()):
                    if rule.subject.matches(tag, keys) and self._is_below(node, rule):
                        return rule.effect
        return NONE

    def _keys(self, attributes: Mapping[str, str | None]) -> Set[str]:
        keys = {f".{name}" for name in (attributes.get("class") or "").split()}
        keys.add(f"#{attributes.get('id')}")
        if self._has_attributes:
            keys.update(f"[{name}]" for name in attributes)
            keys.update(f"[{name}={value}]" for name, value in attributes.items())
        return keys

    def _is_below(self, node: LexborNode, rule: _Rule) -> bool:
        """Whether the element stands where the rule wants it."""
        around, is_next = node.parent, rule.subject.is_child
        for wanted in rule.above:
            while around is not None and not (
                around.is_element_node and wanted.matches(around.tag or "", self._keys(around.attributes))
            ):
                around = None if is_next else around.parent
            if around is None:
                return False
            around, is_next = around.parent, wanted.is_child
        return True


def _effective(sources: Iterable[str]) -> Iterator[tuple[str, list[_Compound], Effect]]:
    """Each selector that changes a page, in parts as `_chain` has them, and how."""
    for selectors, declarations in _rules(sources):
        effect = _rule_effect(declarations)
        if effect is None:
            continue
        is_only_aside = effect.is_hidden and not is_off(declarations_in(declarations))
        for selector in selectors.split(","):
            chain = _chain(selector)
            if len(chain) < 2 or not is_only_aside:  # it may be a formula's words for those who listen to it
                yield selector, chain, effect


def _chain(selector: str) -> list[_Compound]:
    """The parts of a selector; none for one with others than elements in elements."""
    chain: list[_Compound] = []
    is_child = False
    for word in selector.replace(">", " > ").split():
        found = _COMPOUND.fullmatch(word)
        if word != ">" and (not found or _PASSING.search(word)):
            return []
        if found:
            keys = (re.sub("[\"']", "", key) for key in _KEYS.findall(word))
            chain.append(_Compound((found[1] or "").lower(), frozenset(keys), is_child))
        is_child = word == ">"
    return chain


def _is_shown(rule: _Rule, shown: Set[str]) -> bool:
    """Whether another rule shows the same again: then a reader can open it."""
    subject, above = rule.subject, rule.above
    keys = subject.keys.union(*(one.keys for one in above)) or {subject.tag}
    return bool(keys & shown) or (not subject.keys and subject.tag in shown)


def _rule_effect(declarations: str) -> Effect | None:
    """None for a rule that neither hides nor shows nor changes the meaning of text."""
    values = declarations_in(declarations)
    is_moving = values.keys() & {"max-height", "transition", "animation"}
    is_aside = not is_moving and (is_clipped(values) or is_far(values))
    if is_aside or is_off(values):
        return Effect(is_hidden=True)
    effect = effect_of(declarations[:1000])
    if effect.level or effect.is_struck:
        return Effect(level=effect.level, is_struck=effect.is_struck)
    if values.keys() & _SHOWING:
        return _SHOWN if effect.display in ("", "float") else Effect(display=effect.display, is_row=effect.is_row)
    return Effect(display="float") if effect.display else None


def _rules(sources: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Selectors and declarations that count on a screen of any size."""
    for source in sources:
        preludes: list[str] = []
        text = ""
        for piece in re.split(r"([{}])", without_comments(source)):
            if piece == "{":
                preludes.append(text.rpartition(";")[2].strip())
            elif piece == "}" and preludes:
                selectors = preludes.pop()
                if not selectors.startswith("@") and all(_is_on(media) for media in preludes):
                    yield selectors, text
            text = piece


def _is_on(media: str) -> bool:
    return media.lower().startswith(_SEEN_MEDIA) and "(" not in media.replace("@supports", "").partition("@media")[2]
