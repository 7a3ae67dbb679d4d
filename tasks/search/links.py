"""Where a chunk can be opened: a file's or a page's address, at the right page where a viewer knows pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from config import sources

_WEB = ("http://", "https://")
_VIEWERS = {"https://github.com/": "/blob", "https://gitlab.com/": "/-/blob", "https://codeberg.org/": "/src/branch"}


def link_of(metadata: Mapping[str, Any], configured: Sequence[sources.Source]) -> str:
    """The link of the document that a record's metadata names; empty where no viewer would open it, as in a bucket."""
    source = next((source for source in configured if source.name == metadata.get("source")), None)
    document = str(metadata.get("document", ""))
    if isinstance(source, sources.GitSource):
        folder = next((text for host, text in _VIEWERS.items() if source.repository.startswith(host)), "")
        root = f"{source.repository.removesuffix('.git')}{folder}/{source.branch or 'HEAD'}"
        return f"{root}/{quote(document)}" if folder else ""
    pages = metadata.get("page")
    page = f"#page={pages[0]}" if isinstance(pages, list) and pages else ""
    if isinstance(source, sources.WebSource) and document:
        return str(metadata.get("url") or urljoin(source.urls[0], document)) + page
    if not isinstance(source, sources.FilesSource) or not document:
        return ""
    if source.path.startswith(_WEB):
        root, name = source.path.partition("?")[0], quote(document)
        return (root if root.endswith(f"/{name}") else f"{root.rstrip('/')}/{name}") + page
    if "://" in source.path:
        return ""
    root_path = Path(source.path).resolve()
    return f"{(root_path if root_path.is_file() else root_path / document).as_uri()}{page}"
