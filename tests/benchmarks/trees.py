"""Pages of HTML by their tree alone, word for word beside the words of their chunks.

`make trees FOLDER=...` prints for each folder below it how many words are missing and how many are added, and the ten
worst pages. What is decided to differ: navigation and line numbers of listings are left out; meanings of
abbreviations and numbers of lists are added; a string longer than a chunk is cut.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from config.embedders import HashingEmbedder
from tasks.chunk.auto import AutoChunker
from tasks.embed.open import open_embedder
from tasks.errors import DocumentError
from tasks.load.declared import declared_encoding
from tasks.load.decode import decode
from tasks.load.parse.open import parse
from tasks.records import DocumentId, DocumentRef

LEAST_RECALL, MOST_ADDED = 0.995, 0.01
_WORD = re.compile(r"\w+")
_UNSEEN = {"script", "style", "template", "noscript", "head", "nav", "title", "iframe", "object", "datalist"}
_UNSEEN |= {"desc", "defs", "metadata", "symbol"}
_IN_LINE = {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "dfn", "em", "font", "i", "ins", "kbd"}
_IN_LINE |= {"mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var"}


class Difference(NamedTuple):
    """Of one page; words with how often."""

    path: Path
    words: int
    missing: Counter[str]
    added: Counter[str]


def _texts(element: LexborNode) -> Iterator[str]:
    """What stands in it and is shown, by its tags and attributes alone."""
    attributes = element.attributes
    if element.tag in _UNSEEN or attributes.get("role") == "navigation":
        return
    style = (attributes.get("style") or "").replace(" ", "").lower()
    if "hidden" in attributes or "display:none" in style or "visibility:hidden" in style:
        return
    yield f" {attributes.get('alt') or ''} " if element.tag == "img" else ""
    apart = "" if element.tag in _IN_LINE else " "
    yield apart
    for child in element.iter(include_text=True):
        if child.is_text_node:
            yield child.text_content or ""
        elif child.is_element_node:
            yield from _texts(child)
    yield apart


def _words(text: str) -> Counter[str]:
    return Counter(word.lower() for word in _WORD.findall(text))


def difference(path: Path, chunker: AutoChunker) -> Difference:
    """Between what is shown of the page and what its chunks hold."""
    content = path.read_bytes()
    document = parse(DocumentRef(DocumentId(f"s:{path.name}"), "s", path.name), content)
    [chunks] = chunker.split([document])
    root = LexborHTMLParser(decode(path.name, content, declared_encoding(path.suffix, content)).text).root
    shown = _words("" if root is None else "".join(_texts(root)))
    kept = _words("\n".join(chunk.text for chunk in chunks))
    return Difference(path, shown.total(), shown - kept, kept - shown)


def main() -> int:
    """1 where words of pages are missing in their chunks, or others are there."""
    root = Path(sys.argv[1])
    chunker = AutoChunker(256, 0, open_embedder(HashingEmbedder(kind="hashing")).tokenizer)
    paths = sorted(path for path in root.rglob("*") if path.suffix in (".html", ".htm", ".xhtml") and path.is_file())
    found: list[Difference] = []
    for path in paths:
        try:
            found.append(difference(path, chunker))
        except (DocumentError, ValueError) as error:
            print(f"{path}: {error}")
    folders: dict[str, list[Difference]] = {}
    for one in found:
        folders.setdefault(one.path.relative_to(root).parts[0], []).append(one)
    for folder, own in [*folders.items(), ("all", found)]:
        words = sum(one.words for one in own) or 1
        missing, added = (sum(getattr(one, name).total() for one in own) / words for name in ("missing", "added"))
        print(f"{folder:32} {len(own):6,} pages {words:10,} words, {1 - missing:.4f} kept, {added:.4f} added")
    for one in sorted(found, key=lambda one: -one.missing.total())[:10]:
        print(f"{one.path}: {one.missing.total()} of {one.words} missing {dict(one.missing.most_common(8))}")
    return 0 if 1 - missing >= LEAST_RECALL and added <= MOST_ADDED else 1


if __name__ == "__main__":
    sys.exit(main())
