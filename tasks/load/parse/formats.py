"""The formats of files, one row each: what is said nowhere else is how a kind of file is read."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.load.parse.markdown import parse_markdown
from tasks.load.parse.rst import parse_rst
from tasks.load.parse.signature import check_docx, check_pdf, check_text
from tasks.load.parse.text import Parsed, parse_text
from tasks.records import Format


@dataclass(frozen=True, slots=True)
class FileFormat:
    """`suffixes` are in lower case; "" is a name without one.

    `parser` is a function of the text, or `module:function` of a foreign library's, which may hang or explode: it runs
    in a process of its own, and gets bytes. `check` raises DocumentError for content that is another format's.
    """

    suffixes: tuple[str, ...]
    form: Format
    parser: Callable[[str], Parsed] | str
    check: Callable[[str, bytes], None] = check_text
    is_text: bool = True


CODE = FileFormat(
    (
        *(".py", ".js", ".ts", ".jsx", ".tsx", ".java", ".go", ".rs", ".c", ".h", ".cpp", ".hpp", ".cs", ".rb"),
        *(".php", ".swift", ".kt", ".scala", ".sh", ".sql"),
    ),
    "code",
    parse_text,
)
FORMATS = (
    FileFormat((".md", ".markdown"), "markdown", parse_markdown),
    FileFormat((".txt", ".text", ""), "text", parse_text),
    FileFormat((".rst",), "rst", parse_rst),
    FileFormat((".html", ".htm"), "markdown", "tasks.load.parse.html:parse_html"),
    FileFormat((".pdf",), "text", "tasks.load.parse.pdf:parse_pdf", check_pdf, is_text=False),
    FileFormat((".docx",), "markdown", "tasks.load.parse.docx:parse_docx", check_docx, is_text=False),
    CODE,
)
_BY_SUFFIX = {suffix: row for row in FORMATS for suffix in row.suffixes}


def format_of(suffix: str) -> FileFormat:
    """The row of a suffix in lower case; what has one that no row names is source code too."""
    return _BY_SUFFIX.get(suffix, CODE)
