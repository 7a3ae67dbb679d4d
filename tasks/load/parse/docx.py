"""Word documents by way of HTML, so that headings, lists and tables keep their structure."""

import zlib
from io import BytesIO
from xml.parsers import expat
from zipfile import BadZipFile

import mammoth

from tasks.errors import DocumentError
from tasks.load.parse.archive import checked_title, open_archive
from tasks.load.parse.html import html_to_markdown
from tasks.load.parse.text import Parsed

_KIND = "Word document"


def parse_docx(name: str, content: bytes) -> Parsed:
    """The document as Markdown; it is measured before anything is unpacked, and what it embeds is not opened."""
    try:
        with open_archive(name, content, _KIND, "word/") as archive:
            title = checked_title(name, archive, _KIND, "docProps/core.xml")
        page = mammoth.convert_to_html(BytesIO(content), convert_image=_no_image)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError) as error:
        raise _corrupt(name, error) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _corrupt(name, error) from error  # what the library does not foresee in a damaged file
    parsed = html_to_markdown(page.value)
    return Parsed(parsed.text, title or parsed.title)


def _no_image(_image: object) -> list[object]:
    return []


def _corrupt(name: str, error: Exception) -> DocumentError:
    cause = f"{type(error).__name__}: {error}"[:200]
    return DocumentError("corrupt", f"{name} is a damaged {_KIND} ({cause}); save it again, or exclude it")
