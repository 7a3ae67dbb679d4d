"""The pages of an unpacked export of Notion, whose file names end in the page's id; a space of Confluence is alike."""

from collections.abc import Iterator
from pathlib import Path

EXPORT = Path(__file__).parent / "export"


def documents() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each page under its id, so a page that is renamed stays the same document."""
    for path in sorted(EXPORT.rglob("*.md")):
        title, _, page = path.stem.rpartition(" ")
        yield page, path.read_text(encoding="utf-8"), {"title": title, "folder": path.parent.name}
