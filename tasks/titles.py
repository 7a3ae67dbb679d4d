"""Titles as a reader sees them: plain words, in one line, without the marks of Markdown, HTML or an author's tools."""

import html
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST = 300  # characters of a title; what is longer is a paragraph
_MARKED = re.compile(r"[*_`\[\]<>&:\\{}~!|]")
# What attribute lists of kramdown, Pandoc, Docusaurus and Python-Markdown hold: `{#id .class key="value"}`, `{: #id}`.
_ATTRIBUTE = r"""(?:[#.][^\s{}#.]+|[\w-]+=(?:"[^"{}]*"|'[^'{}]*'|[^\s"'{}]+)|-|:?[#.]?\w+:)"""
_ATTRIBUTES = re.compile(rf"\{{:?[ ]?(?:{_ATTRIBUTE}[ ]*)+\}}|\{{/\*[^{{}}]*\*/\}}|\{{:[^{{}}]*\}}")
_ROLE = re.compile(r"\{[a-z][\w:.+-]*\}\Z")  # of MyST, where code follows
_EMOJI = re.compile(r"(?<![\w:]):(?:[a-z_]*[a-z][a-z0-9_+-]*|\+1|-1|100|1234|8ball):(?![\w:])")
_WIKI = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]*\]")
_ELEMENT = re.compile(r"</?([A-Za-z][\w.-]*)((?:\s|/)[^<>]*)?>")
_ALT = re.compile(r"""<img\s[^<>]*?\balt\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""", re.IGNORECASE)
_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)
_KNOWN = re.compile(
    r"a|abbr|acronym|b|badge|bdi|bdo|big|br|button|center|cite|code|data|del|details|dfn|div|em|embed"
    r"|figure|font|h1|h2|h3|h4|h5|h6|hr|i|iframe|img|ins|kbd|label|li|mark|meter|nobr|object|ol|p"
    r"|picture|pre|progress|q|ruby|rp|rt|s|samp|script|small|source|span|strike|strong|style|sub"
    r"|summary|sup|svg|table|tbody|td|th|thead|time|tr|tt|u|ul|var|video|wbr",
    re.IGNORECASE,
)


def plain_title(text: str, links: Collection[str] = ()) -> str:
    """The words of a heading in Markdown; `links` are labels that the document defines, as `[Label]` is then a link.

    Where only a picture stands, its description is the title.
    """
    if not _MARKED.search(text):
        return short_title(text)
    text = _without_attributes(_WIKI.sub(r"\1", _FOOTNOTE.sub("", _without_comments(text))))
    if is_endless(text):
        return short_title(text)
    tokens = _reader().parseInline(text, {"references": _References(links)})[0].children or []
    title = short_title("".join(_words(tokens)))
    return title or short_title(" ".join([token.content for token in tokens if token.type == "image"])) or _alt(text)


def is_endless(text: str) -> bool:
    """No title that anybody wrote: its marks are not worth the time."""
    return len(text) > 2 * LONGEST


def plain_markup(text: str) -> str:
    """The words of a heading in HTML; where only a picture stands, its description."""
    text = _without_comments(text)
    return short_title(_EMOJI.sub("", html.unescape(_ELEMENT.sub(" " if "\n" in text else "", text)))) or _alt(text)


def _without_comments(text: str) -> str:
    """Behind the last end no comment is looked for: each would be sought to the text's end."""
    end = text.rfind("-->") + 3
    return _HIDDEN.sub("", text[:end]) + text[end:]


def _words(tokens: Sequence["Token"]) -> Iterator[str]:
    """The text of each token; what an element hides or breaks is a blank or nothing."""
    for token in tokens:
        if token.type == "text":
            yield _EMOJI.sub("", token.content)
        elif token.type == "html_inline":
            element = _ELEMENT.fullmatch(token.content)
            if element and element[1].lower() == "br":
                yield " "
            elif element and not _KNOWN.fullmatch(element[1]) and not element[2] and token.content[1] != "/":
                yield token.content  # `List<String>` is no element
        elif token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type not in ("image", "html_inline"):
            yield token.content


def _without_attributes(text: str) -> str:
    """Without the roles before `code` too, but not inside it, where braces are what they are."""
    parts = text.split("`")
    for number in range(0, len(parts), 2):
        part = _ROLE.sub("", parts[number]) if number < len(parts) - 1 else parts[number]
        parts[number] = _ATTRIBUTES.sub("", part)
    return "`".join(parts)


def _alt(text: str) -> str:
    return short_title(" ".join([html.unescape(match[1] or match[2] or "") for match in _ALT.finditer(text)]))


def short_title(text: str) -> str:
    """The words in one line, as far as a title goes."""
    title = " ".join(text.split())
    return title if len(title) <= LONGEST else title[:LONGEST].rpartition(" ")[0] + " …"


class _References(dict[str, dict[str, str]]):
    """What the library asks for the target of a link: any target will do."""

    def __init__(self, labels: Collection[str]) -> None:
        super().__init__({" ".join(label.split()).upper(): {"title": "", "href": "#"} for label in labels})

    def __contains__(self, label: object) -> bool:
        return super().__contains__(str(label).upper())

    def __getitem__(self, label: str) -> dict[str, str]:
        return super().__getitem__(label.upper())


@cache
def _reader() -> "MarkdownIt":
    """Imported with the first title that needs it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("strikethrough")
