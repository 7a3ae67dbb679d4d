"""A file's bytes to a document."""

from pathlib import PurePosixPath
from typing import NamedTuple

from tasks.errors import DocumentError
from tasks.image import Image
from tasks.load.declared import declared_encoding
from tasks.load.decode import decode, normalised, require_readable, without_unseen
from tasks.load.parse.attached import Attachments, Read
from tasks.load.parse.code import CODE_PARSER, MOST_BYTES, grammar
from tasks.load.parse.formats import IMAGE, MAIL, PDF, FileFormat, format_of
from tasks.load.parse.isolated import child
from tasks.load.parse.ocr import require_tesseract
from tasks.load.parse.signature import check_signature, suffix_by_content
from tasks.load.parse.text import Attached, Parsed
from tasks.load.parse.version_control import refuse_pointer, without_merge_marks
from tasks.places import Heading
from tasks.records import Document, DocumentRef, Format, Metadata


class Named(NamedTuple):
    """What is known of a file beside its content."""

    name: str
    suffix: str
    encoding: str


def parse(ref: DocumentRef, content: bytes, suffix: str = "", encoding: str = "", *, languages: str = "") -> Document:
    """The document that a file's suffix says it is. One without content is no error: it becomes an empty document.

    A server's `suffix` and `encoding` win over what the name and the content say. With `languages` tesseract reads
    pictures, and pages without text.
    """
    suffix = suffix or PurePosixPath(ref.path).suffix.lower() or suffix_by_content(content)

    def read(one: Attached, inside: bytes) -> Read:
        return _read(Named(one.name, one.suffix, one.charset), inside, languages)

    parsed, form, language = _read(Named(ref.path, suffix, encoding), content, languages)
    if parsed.attached:
        seconds = child.SCAN_SECONDS if languages else child.SECONDS
        parsed = Attachments(read, seconds).with_message(parsed)
    return _document(ref, parsed, form, language, _metadata(parsed))


def parse_written(ref: DocumentRef, text: str, suffix: str, metadata: Metadata) -> Document:
    """The document of a text that is no file's, in the format of such files; `metadata` wins over what it says."""
    file_format = format_of(suffix)
    if isinstance(file_format.parser, str):
        parsed = child.SHARED.parse(file_format.parser, ref.path, text.encode())
    else:
        parsed = file_format.parser(text)
    return _document(ref, parsed, file_format.form, "", {**_metadata(parsed), **metadata})


def _document(ref: DocumentRef, parsed: Parsed, form: Format, language: str, metadata: Metadata) -> Document:
    return Document(
        ref,
        parsed.text,
        form,
        language,
        metadata,
        parsed.image,
        parsed.places,
        parsed.headings,
        parsed.extent,
        parsed.remarks,
    )


def parse_image(name: str, content: bytes) -> Image:
    """The picture that a file is, whatever its name; DocumentError for one that is none."""
    image = _parsed(name, content, IMAGE, "").image
    if image is None:
        raise DocumentError("parser-failed", f"{name} makes its parser answer no picture; exclude it")
    return image


def _read(named: Named, content: bytes, languages: str) -> Read:
    name, suffix, encoding = named
    file_format = format_of(suffix)
    if not encoding and file_format.signature is None:
        encoding = declared_encoding(suffix, content)
    if languages and file_format in (PDF, IMAGE, MAIL) and content:
        parsed = _recognized(name, content, file_format, languages)
    else:
        parsed = _parsed(name, content, file_format, encoding) if content else Parsed("")
    return Read(parsed, file_format.form, suffix.removeprefix(".") if file_format.form == "code" else "")


def _metadata(parsed: Parsed) -> Metadata:
    named = {"title": parsed.title, "caption": parsed.text if parsed.image else ""}
    return {**parsed.properties, **{name: text for name, text in named.items() if text}}


def _parsed(name: str, content: bytes, file_format: FileFormat, encoding: str) -> Parsed:
    refuse_pointer(name, content)
    check_signature(name, content, file_format.signature)
    remarks: tuple[str, ...] = ()
    if file_format.signature is None:
        text, remarks = decode(name, content, encoding)
        text, marks = without_merge_marks(text, is_markdown=file_format.form == "markdown")
        remarks += marks
        text = text if file_format.form == "code" else without_unseen(text)
        content = text.encode()
        if not isinstance(file_format.parser, str):
            parsed = file_format.parser(text)
            if file_format.form == "code":
                parsed = parsed._replace(headings=_definitions(name, parsed.text))
            return parsed._replace(remarks=(*remarks, *parsed.remarks))
    return _sound(name, child.SHARED.parse(str(file_format.parser), name, content), remarks)


def _recognized(name: str, content: bytes, file_format: FileFormat, languages: str) -> Parsed:
    check_signature(name, content, file_format.signature)
    require_tesseract(languages)
    return _sound(name, child.SCANS.parse(str(file_format.parser), name, content, languages))


def _sound(name: str, parsed: Parsed, remarks: tuple[str, ...] = ()) -> Parsed:
    """What a library made of a file may hold anything."""
    return parsed._replace(
        text=require_readable(name, parsed.text),
        title=normalised(parsed.title),
        remarks=(*remarks, *map(normalised, parsed.remarks)),
    )


def _definitions(name: str, text: str) -> tuple[Heading, ...] | None:
    """Where a file of code defines what; None where no grammar can tell, for then its lines do, roughly."""
    content = text.encode()
    if not grammar(name) or len(content) > MOST_BYTES:
        return None
    try:
        headings = child.SHARED.parse(CODE_PARSER, name, content).headings or ()
    except DocumentError:
        return None
    starts = [0, *(heading.start for heading in headings)]
    is_sound = starts == sorted(starts) and all(one.start <= one.end <= len(text) for one in headings)
    return headings if is_sound else None  # a process that reads hostile files may answer anything
