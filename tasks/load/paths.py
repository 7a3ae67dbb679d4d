"""The paths of a source: which ones it includes, and which document each one is."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from tasks.errors import DocumentError
from tasks.load.parse.formats import DEFAULT_PATTERNS
from tasks.records import DocumentId, DocumentRef, FailedScope, Listing
from tasks.system.file_system import escaped

# Most patterns are like **/*.md, and every path of a source is held to them.
_SUFFIX_ALONE = re.compile(r"\*\*/\*(\.[^*?/]+)")
_SUFFIXES = re.compile(r"(?:.*/)?\.*+[^./]*(\.[^/]*)", re.DOTALL)  # `.tar.gz`; the first dot of `.env` begins no suffix
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir"}
# What Office, LibreOffice, editors, macOS and Windows leave beside documents: locks, owners, copies, thumbnails.
_LEFT_BESIDE = re.compile(
    r"~\$.*|\._.*|\.~lock\..*#|~WR[LDA]\d+\.tmp|\.#.*|#.*#|.*\.sw[op]|\.ds_store|thumbs\.db(?:-journal)?|ehthumbs\.db"
    r"|desktop\.ini|icon\r|\.apdisk|\.localized|\.directory",
    re.IGNORECASE | re.DOTALL,
)
# What tools write for tools: pinned versions, and code without its blanks.
_GENERATED = re.compile(
    r".*\.lock|.*\.map|.*[.-]min\.(?:[cm]?js|css)|(?:package|pnpm|conda|\*)-lock\.(?:json|ya?ml)|npm-shrinkwrap\.json"
    r"|packages\.lock\.json",
    re.IGNORECASE | re.DOTALL,
)


class PathFilter:
    """Glob patterns on paths relative to the root: `*` stays inside a folder, `**` crosses folders.

    Suffixes are matched whatever their case, in both lists: old systems and scanners write `.PDF`. Names and folders
    are matched as they are written. Folders whose name begins with a dot, `node_modules` and `__pycache__` are passed
    over, unless a pattern of `include` names them; so are those of trash cans and thumbnails, and files that tools
    write for tools: `package-lock.json`, `*.min.js`.
    """

    def __init__(self, include: Sequence[str] | None, exclude: Sequence[str]) -> None:
        """`include` None takes every format that is read; a long list costs a path no more than a short one."""
        include = DEFAULT_PATTERNS if include is None else include
        self.includes = matcher(include)
        self.excludes = matcher(exclude)
        self._generated = matcher([pattern for pattern in include if _is_generated(pattern)])
        self._excludes_files = matcher([pattern for pattern in exclude if not pattern.endswith("/**")])
        folders = [pattern.removesuffix("/**") for pattern in exclude if pattern.endswith("/**")]
        self._prunes = _expressions([_expression(folder) for folder in folders])
        self._named = {part for pattern in include for part in pattern.split("/")[:-1]}

    def takes(self, path: str) -> bool:
        """Whether the file at this path is a document; what programs leave beside documents never is."""
        if not self.includes(path) or self.excludes(path) or _is_left_beside(path):
            return False
        return not _is_generated(path) or self._generated(path)

    def enters(self, path: str) -> bool:
        """Whether anything below this folder can be a document."""
        name = path.rpartition("/")[2]
        if (name.startswith(".") or name in SKIPPED_FOLDERS) and name not in self._named:
            return False
        return not self._prunes(path)

    def reaches(self, path: str) -> bool:
        """Whether all folders above a file are entered, where a listing does not go folder by folder."""
        folders = path.split("/")[:-1]
        return all(self.enters("/".join(folders[: depth + 1])) for depth in range(len(folders)))

    def misses(self, path: str) -> bool:
        """Whether nobody decided about a file that is reached and not taken: not hidden, and named by no `exclude`."""
        name = path.rpartition("/")[2]
        return not name.startswith(".") and not _is_left_beside(path) and not self._excludes_files(path)


def _is_left_beside(path: str) -> bool:
    return _LEFT_BESIDE.fullmatch(path, path.rfind("/") + 1) is not None


def _is_generated(path: str) -> bool:
    return _GENERATED.fullmatch(path, path.rfind("/") + 1) is not None


def by_suffix(names: Iterable[str]) -> dict[str, int]:
    """Counts of files by suffix in lower case, most frequent first; "" is a name without one."""
    counts: Counter[str] = Counter()
    for suffix, number in Counter([name.rpartition(".")[2] if "." in name else None for name in names]).items():
        counts["" if suffix is None else f".{escaped(suffix).lower()}"] += number
    return dict(counts.most_common())


def document_id(source: str, path: str) -> DocumentId:
    """The document's id, in Unicode NFC; bytes that are no UTF-8 become a stable escape."""
    if path.isascii():
        return DocumentId(f"{source}:{path}")
    return DocumentId(f"{source}:{unicodedata.normalize('NFC', escaped(path))}")


def source_of(document: DocumentId) -> str:
    """The name of the source, which holds no colon."""
    return document.partition(":")[0]


def without_doubles(refs: list[DocumentRef], source: str) -> tuple[list[DocumentRef], list[FailedScope]]:
    """The refs without those whose names only differ in Unicode form: two would be one document."""
    if len({ref.id for ref in refs}) == len(refs):
        return refs, []
    seen: dict[DocumentId, DocumentRef] = {}
    doubles: dict[DocumentId, DocumentRef] = {}
    for ref in refs:
        if ref.id in seen:
            doubles[ref.id] = ref
        seen[ref.id] = ref
    why = f"two names in source {source!r} differ in Unicode form only; rename one"
    failed = [FailedScope(ref.id, f"{escaped(ref.path)}: {why}") for ref in doubles.values()]
    return [ref for ref in refs if ref.id not in doubles], failed


def chosen(source: str, refs: Sequence[DocumentRef], paths: PathFilter, failed: Iterable[FailedScope] = ()) -> Listing:
    """The listing of those that the filter takes among all that there are, in order of their paths."""
    reached = [ref for ref in sorted(refs, key=attrgetter("path")) if paths.reaches(ref.path)]
    wanted = [ref for ref in reached if paths.takes(ref.path)]
    taken, doubles = without_doubles(wanted, source)
    rest = {ref.path for ref in reached} - {ref.path for ref in wanted}
    missed = [path.rpartition("/")[2] for path in rest if paths.misses(path)]
    return Listing(source, tuple(taken), (*doubles, *failed), by_suffix(missed))


def check_size(ref: DocumentRef, most: int) -> None:
    """Raise DocumentError for a document that is larger."""
    if ref.size_bytes > most:
        raise DocumentError(
            "too-large",
            f"{ref.id} has {ref.size_bytes:,} bytes, the limit is {most:,}; raise max_bytes or exclude it",
        )


def is_relative(path: str) -> bool:
    """Whether the path names something below a root without any detour."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether one of the glob patterns matches a path."""
    endings = tuple(match[1].lower() for pattern in patterns if (match := _SUFFIX_ALONE.fullmatch(pattern)))
    others = [_with_suffixes(pattern) for pattern in patterns if not _SUFFIX_ALONE.fullmatch(pattern)]
    if not patterns:
        return lambda _path: False
    if not others:
        return lambda path: path.lower().endswith(endings)
    matches = _expressions(others)
    return lambda path: path.lower().endswith(endings) or matches(path)


def _expressions(expressions: Sequence[str]) -> Callable[[str], bool]:
    """Whether one of them matches the whole path."""
    if not expressions:
        return lambda _path: False
    expression = re.compile("|".join(f"(?:{one})" for one in expressions), re.DOTALL)
    return lambda path: expression.fullmatch(path) is not None


def _with_suffixes(pattern: str) -> str:
    """The expression of a file's pattern, whose suffixes match in upper and lower case."""
    suffixes = match[1] if (match := _SUFFIXES.fullmatch(pattern)) else ""
    name = pattern.removesuffix(suffixes)
    return f"{_expression(name)}(?i:{_expression(suffixes)})" if suffixes else _expression(pattern)


def _expression(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.removeprefix("./"))
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(special.get(part) or re.escape(part) for part in parts)
