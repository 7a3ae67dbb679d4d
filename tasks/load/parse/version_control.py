"""What version control leaves in files: pointers to content that is elsewhere, and marks of a merge."""

import re

from tasks.blocks import find_blocks
from tasks.errors import DocumentError
from tasks.load.parse.hidden import blanked

LONGEST_POINTER = 1_024
_POINTERS = (
    (re.compile(rb"(?:\xef\xbb\xbf)?version https?://(?:git-lfs\.github\.com|hawser\.github\.com|git-media\.io)/"),
     "Git LFS", "git lfs pull"),
    (re.compile(rb"(?:\.\./)*(?:\.git/|/)annex/objects/\S+\s*\Z"), "git-annex", "git annex get"),
)  # fmt: skip
_MERGE = re.compile(r"^(?:(<{7}(?: [^\n]*)?)|(\|{7}(?: [^\n]*)?)|(={7})|(>{7}(?: [^\n]*)?))$", re.MULTILINE)
_OURS, _BASE, _THEIRS, _END = 1, 2, 3, 4


def refuse_pointer(name: str, content: bytes) -> None:
    """Raise DocumentError for a file that only names its content, whatever format that has."""
    if len(content) > LONGEST_POINTER:
        return
    for pattern, tool, command in _POINTERS:
        if pattern.match(content):
            raise DocumentError(
                "lfs-pointer",
                f"{name} is a pointer of {tool}, without the content that it stands for; run `{command}` where the"
                " files come from, or exclude it",
            )


def without_merge_marks(text: str, *, is_markdown: bool) -> tuple[str, tuple[str, ...]]:
    """The text with blanks in place of the marks of a merge that nobody finished, and a remark that says so.

    Both versions stay: a reader of the file sees both. In a fenced block of Markdown they are an example.
    """
    if "\n=======" not in text or not _MERGE.search(text):
        return text, ()
    spans = _merge_marks(text)
    for block in find_blocks(text, 0, len(text), only_code=True) if is_markdown and spans else ():
        spans = [span for span in spans if not block.start < span[0] < block.end]
    if not spans:
        return text, ()
    line = 1 + text.count("\n", 0, spans[0][0])
    return blanked(text, spans), (f"a merge was not finished: it holds both versions of a part (line {line})",)


def _merge_marks(text: str) -> list[tuple[int, int]]:
    """The marks that stand in the order that a merge leaves."""
    spans: list[tuple[int, int]] = []
    marks: list[tuple[int, int]] = []
    last = 0
    for mark in _MERGE.finditer(text):
        kind = mark.lastindex or 0
        if kind == _OURS:
            marks = []
        elif not last or kind <= last or (kind == _END and last != _THEIRS):
            continue
        marks.append(mark.span())
        last = kind
        if kind == _END:
            spans += marks
            last = 0
    return spans
