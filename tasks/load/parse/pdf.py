"""PDF: the text that is in the file; images of text stay images."""

from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

from tasks.errors import DocumentError
from tasks.load.parse.text import Parsed

END_BYTES = 65_536  # where the end mark is looked for; servers and mailers append things to files


def parse_pdf(name: str, content: bytes) -> Parsed:
    """The text of all pages, apart by a blank line; the title from the metadata."""
    if b"%%EOF" not in content[-END_BYTES:]:
        raise DocumentError("corrupt", f"{name} is cut off: a PDF ends with %%EOF; fetch it again, or exclude it")
    try:
        reader = PdfReader(BytesIO(content), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise FileNotDecryptedError
        pages = [page.extract_text().strip() for page in reader.pages]
        title = _title(reader)
    except (DependencyError, FileNotDecryptedError) as error:
        raise DocumentError(
            "encrypted", f"{name} is an encrypted PDF; save it without its password, or exclude it"
        ) from error
    except PyPdfError as error:
        raise _corrupt(name, error) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, AssertionError) as error:
        raise _corrupt(name, error) from error  # what the library does not foresee in a damaged file
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise DocumentError(
            "no-text",
            f"{name} has {len(pages)} pages and no text, so it is probably a scan;"
            " run it through OCR (ocrmypdf), or exclude it",
        )
    return Parsed(f"{text}\n", title)


def _title(reader: PdfReader) -> str:
    title = reader.metadata.title if reader.metadata else None
    return " ".join(title.split()) if isinstance(title, str) else ""


def _corrupt(name: str, error: Exception) -> DocumentError:
    cause = f"{type(error).__name__}: {error}"[:200]
    return DocumentError("corrupt", f"{name} is a damaged PDF ({cause}); save it again, or exclude it")
