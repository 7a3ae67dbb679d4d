"""The paths of a source: which ones it includes, and which document each one is."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from tasks.records import DocumentId, DocumentRef, FailedScope
from tasks.system.file_system import readable

_ENDING = re.compile(r"\*\*/\*([^*?/]+)")  # most patterns are like **/*.md, and every path of a source is held to them
SKIPPED_FOLDERS = {"node_modules", "__pycache__"}


class PathFilter:
    """Glob patterns on paths relative to the root: `*` stays inside a folder, `**` crosses folders.

    Suffixes are matched whatever their case: old systems and scanners write `.PDF`. Folders whose name begins with a
    dot, `node_modules` and `__pycache__` are passed over, unless a pattern of `include` names them.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        """One look at the ending and one expression for each list, however many patterns it has."""
        self.includes = _matcher(include)
        self.excludes = _matcher(exclude)
        self._prunes = _matcher([pattern.removesuffix("/**") for pattern in exclude if pattern.endswith("/**")])
        self._named = {part for pattern in include for part in pattern.split("/")[:-1]}

    def takes(self, path: str) -> bool:
        """Whether the file at this path is a document."""
        return self.includes(path) and not self.excludes(path)

    def enters(self, path: str) -> bool:
        """Whether anything below this folder can be a document."""
        name = path.rpartition("/")[2]
        if (name.startswith(".") or name in SKIPPED_FOLDERS) and name not in self._named:
            return False
        return not self._prunes(path)

    def reaches(self, path: str) -> bool:
        """`takes`, for a listing that does not go folder by folder."""
        folders = path.split("/")[:-1]
        above = ("/".join(folders[: depth + 1]) for depth in range(len(folders)))
        return self.takes(path) and all(self.enters(folder) for folder in above)


def document_id(source: str, path: str) -> DocumentId:
    """Unicode NFC; bytes that are no UTF-8 become a stable escape."""
    if path.isascii():
        return DocumentId(f"{source}:{path}")
    return DocumentId(f"{source}:{unicodedata.normalize('NFC', readable(path))}")


def without_doubles(refs: list[DocumentRef], source: str) -> tuple[list[DocumentRef], list[FailedScope]]:
    """Two files whose names only differ in Unicode form would be one document: neither is taken."""
    if len({ref.id for ref in refs}) == len(refs):
        return refs, []
    seen: dict[DocumentId, DocumentRef] = {}
    doubles: dict[DocumentId, DocumentRef] = {}
    for ref in refs:
        if ref.id in seen:
            doubles[ref.id] = ref
        seen[ref.id] = ref
    why = f"two names in source {source!r} differ in Unicode form only; rename one"
    failed = [FailedScope(ref.id, f"{readable(ref.path)}: {why}") for ref in doubles.values()]
    return [ref for ref in refs if ref.id not in doubles], failed


def is_relative(path: str) -> bool:
    """Whether the path names something below a root without any detour."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    folded = [_folded(pattern) for pattern in patterns]
    endings = tuple(found.group(1) for pattern in folded if (found := _ENDING.fullmatch(pattern)))
    others = [pattern for pattern in folded if not _ENDING.fullmatch(pattern)]
    if not others:
        return lambda path: _folded(path).endswith(endings)
    expression = re.compile("|".join(f"(?:{_expression(pattern)})" for pattern in others), re.DOTALL)

    def matches(path: str) -> bool:
        alike = _folded(path)
        return alike.endswith(endings) or expression.fullmatch(alike) is not None

    return matches


def _folded(path: str) -> str:
    """With its suffix in lower case; names and folders stay as they are."""
    stem, dot, suffix = path.rpartition(".")
    return path if not dot or suffix.islower() or "/" in suffix else f"{stem}.{suffix.lower()}"


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.removeprefix("./"))
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(special.get(part) or re.escape(part) for part in parts)
