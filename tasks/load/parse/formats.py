"""The formats of files, one row each.

A new format is a row here, a file beside this one that makes text of its content, and a sample in
`tests/contracts/test_format.py`. What a source includes by default, what is checked before a file is parsed, and which
parsers run in a process of their own follow from the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.load.parse.asciidoc import parse_asciidoc
from tasks.load.parse.markdown import parse_markdown
from tasks.load.parse.mdx import parse_mdx
from tasks.load.parse.org import parse_org
from tasks.load.parse.rst import parse_rst
from tasks.load.parse.signature import ARCHIVE, OFFICE, Signature
from tasks.load.parse.subtitles import parse_subtitles
from tasks.load.parse.text import Parsed, parse_text
from tasks.records import Format


@dataclass(frozen=True, slots=True)
class FileFormat:
    """`suffixes` are in lower case; "" is a name without one. `form` is what the chunker gets.

    `parser` is a function of the text, or `module:function` of a foreign library's, which may hang or explode: it runs
    in a process of its own, and gets bytes. `signature` None is text, which is decoded before it is parsed.
    """

    suffixes: tuple[str, ...]
    form: Format
    parser: Callable[[str], Parsed] | str
    signature: Signature | None = None


CODE = FileFormat(
    (
        *(".py", ".js", ".ts", ".jsx", ".tsx", ".java", ".go", ".rs", ".c", ".h", ".cpp", ".hpp", ".cs", ".rb"),
        *(".php", ".swift", ".kt", ".scala", ".sh", ".sql"),
    ),
    "code",
    parse_text,
)
IMAGE = FileFormat(
    (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff"),
    "text",
    "tasks.load.parse.image:parse_image",
    # Which of them it is, its content says: many a PNG is named .jpg.
    Signature("a picture", (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"II*\0", b"MM\0*"), 4),
)
# Some writers put things before the mark, and readers allow it.
PDF = FileFormat((".pdf",), "text", "tasks.load.parse.pdf:parse_pdf", Signature("a PDF", (b"%PDF-",), 1024))
MESSAGE = Signature(
    "a message",
    (b"From:", b"FROM:", b"from:", b"Subject:", b"MIME-Version:", b"Received:", b"Date:", b"To:", b"Message-I"),
    65_536,
)
MAIL = FileFormat((".eml", ".mht", ".mhtml"), "markdown", "tasks.load.parse.eml:parse_eml", MESSAGE)
FORMATS = (
    FileFormat((".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd"), "markdown", parse_markdown),
    FileFormat((".mdx",), "markdown", parse_mdx),
    FileFormat((".txt", ".text", ".log", ""), "text", parse_text),
    FileFormat((".rst", ".rest"), "rst", parse_rst),
    FileFormat((".adoc", ".asciidoc", ".asc"), "text", parse_asciidoc),
    FileFormat((".org",), "text", parse_org),
    FileFormat((".tex", ".latex"), "markdown", "tasks.load.parse.latex:parse_latex"),
    FileFormat((".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties"), "code", parse_text),
    FileFormat((".ipynb",), "markdown", "tasks.load.parse.notebook:parse_notebook"),
    FileFormat((".csv", ".tsv", ".tab"), "markdown", "tasks.load.parse.delimited:parse_delimited"),
    FileFormat((".json", ".geojson"), "text", "tasks.load.parse.data:parse_json"),
    FileFormat((".jsonl", ".ndjson"), "text", "tasks.load.parse.data:parse_json_lines"),
    FileFormat((".xml",), "markdown", "tasks.load.parse.xml:parse_xml"),
    FileFormat((".srt", ".vtt"), "text", parse_subtitles),
    FileFormat((".html", ".htm", ".xhtml"), "markdown", "tasks.load.parse.html:parse_html"),
    FileFormat((".epub",), "markdown", "tasks.load.parse.epub:parse_epub", Signature("an EPUB book", (ARCHIVE,), 2)),
    MAIL,
    PDF,
    FileFormat(
        (".docx", ".docm", ".dotx", ".dotm"),
        "markdown",
        "tasks.load.parse.office.docx:parse_docx",
        Signature("a Word document (DOCX)", (ARCHIVE,), 2),
    ),
    FileFormat(
        (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx"),
        "markdown",
        "tasks.load.parse.office.pptx:parse_pptx",
        Signature("a PowerPoint presentation (PPTX)", (ARCHIVE,), 2),
    ),
    FileFormat(
        (".xlsx", ".xlsm", ".xltx", ".xltm"),
        "markdown",
        "tasks.load.parse.office.xlsx:parse_xlsx",
        Signature("an Excel workbook (XLSX)", (ARCHIVE,), 2),
    ),
    FileFormat(
        (".odt", ".odp", ".ods", ".ott"),
        "markdown",
        "tasks.load.parse.office.odf:parse_odf",
        Signature("an OpenDocument file", (ARCHIVE,), 2),
    ),
    FileFormat(
        (".rtf",),
        "markdown",
        "tasks.load.parse.office.rtf:parse_rtf",
        Signature("an RTF document", (b"{\\rtf", b"{\\urtf"), 16),
    ),
    FileFormat(
        (".xls", ".xlt", ".xlsb"),
        "markdown",
        "tasks.load.parse.office.xls:parse_xls",
        Signature("a binary Excel workbook (XLS, XLSB)", (OFFICE, ARCHIVE), 8),
    ),
    IMAGE,
    CODE,
)
_BY_SUFFIX = {suffix: row for row in FORMATS for suffix in row.suffixes}
IMAGE_PATTERNS = tuple(f"**/*{suffix}" for suffix in IMAGE.suffixes)
# A name without a suffix may be anything, so it is read only where a source names it; pictures, where a model sees.
DEFAULT_PATTERNS = tuple(f"**/*{suffix}" for suffix, row in _BY_SUFFIX.items() if suffix and row is not IMAGE)


# Of media types, for what is sent under a name that tells less.
SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/epub+zip": ".epub",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}


def is_known(suffix: str) -> bool:
    """Whether a row names the suffix."""
    return suffix in _BY_SUFFIX and suffix != ""


def format_of(suffix: str) -> FileFormat:
    """The row of a suffix in lower case; what has one that no row names is source code too."""
    return _BY_SUFFIX.get(suffix, CODE)
