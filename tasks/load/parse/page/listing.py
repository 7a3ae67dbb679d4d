"""Listings: text whose blanks and line ends count, as a fenced block."""

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborNode

from tasks.load.parse.page.flow import Block
from tasks.load.parse.page.names import names

NUMBERS = names(
    "linenos lineno line-number line-numbers linenumber linenumbers line-numbers-rows gutter rouge-gutter "
    "blob-num hljs-ln-numbers ln lnt lnum code-line-number sourceLineNumber"
)
_LINES = names("div p li tr h1 h2 h3 h4 h5 h6 dt dd table ul ol pre blockquote section")
_DROPPED = names("script style template button noscript iframe svg")
_LANGUAGE = re.compile(r"(?:language|lang|highlight-source|highlight|sourceCode|brush)[-:]\s*([\w+#.]{1,20})")
_BESIDE = re.compile(r"(?:^|\s)(?:sourceCode|hljs|highlight|prettyprint)\s+([\w+#]{1,20})(?=\s|$)|^(rust)\b")
_NO_LANGUAGE = names("none text txt plain plaintext default nohighlight notranslate language highlight hljs")
_TICKS = re.compile("`{3,}")
Hidden = Callable[[LexborNode, str], bool]


def listing(node: LexborNode, is_hidden: Hidden) -> str:
    """All that the element shows, to the byte; line numbers and buttons are no part of it."""
    parts: list[str] = [""]
    for child, is_end in _walk(node, is_hidden):
        last = parts[-1][-1:]
        if child.tag in _LINES:
            parts += ["\n"] if last not in ("", "\n") else []
        elif not is_end and (text := _shown(child, last)):
            parts.append(text)
    return "".join(parts)


def _shown(node: LexborNode, before: str) -> str:
    """What a node itself puts behind the character `before`."""
    match node.tag:
        case "-text":
            return node.text_content or ""
        case "br":
            return "\n"
        case "sup":
            return "^"
        case "sub":
            return "_" if before.isdigit() else ""
        case "img":
            return node.attributes.get("alt") or ""
        case _:
            return ""


def fenced(text: str, language: str) -> Block | None:
    """A fence longer than any in the text; None for a text of blanks."""
    if not text.strip():
        return None
    ticks = "`" * (1 + max(map(len, _TICKS.findall(text)), default=2))
    body = text.removesuffix("\n")
    return Block(f"{ticks}{language}\n{body}\n{ticks}", "code", body)


def language_of(node: LexborNode) -> str:
    """The language that the element, its code or what is around it names."""
    around: list[LexborNode | None] = [node, node.first_child, node.parent, node.parent and node.parent.parent]
    for distance, element in enumerate(around):
        if element is None or not element.is_element_node:
            continue
        attributes = element.attributes
        classes = attributes.get("class") or ""
        for name in (attributes.get("data-lang"), attributes.get("data-language"), attributes.get("lang-name")):
            if name and re.fullmatch(r"[\w+#.-]{1,20}", name):
                return name.lower()
        match = _LANGUAGE.search(classes) or (_BESIDE.search(classes) if distance < 2 else None)
        name = next((group for group in match.groups() if group), "") if match else ""
        if name and name.lower() not in _NO_LANGUAGE:
            return name.lower()
    return ""


def _walk(root: LexborNode, is_hidden: Hidden) -> Iterator[tuple[LexborNode, bool]]:
    """The nodes below, each element with its begin and its end; without recursion, for pages nest without end."""
    path: list[LexborNode] = []
    node = root.first_child
    while node is not None:
        yield node, False
        child = None
        if node.is_element_node and node.tag not in _DROPPED:
            classes = (node.attributes.get("class") or "").split()
            child = None if NUMBERS.intersection(classes) or is_hidden(node, node.tag or "") else node.first_child
        if child is not None:
            path.append(node)
            node = child
            continue
        while (after := node.next) is None and path:
            node = path.pop()
            yield node, True
        node = after
