"""Messages (EML) and pages saved as one (MHT): what a reader of mail sees, and what is attached, not yet read."""

import email
from base64 import b64decode, b64encode
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import default
from pathlib import PurePosixPath

from tasks.errors import DocumentError
from tasks.load.decode import decode
from tasks.load.parse.formats import IMAGE, SUFFIXES, is_known
from tasks.load.parse.html import html_to_markdown
from tasks.load.parse.page.flow import in_order
from tasks.load.parse.page.inline import guarded
from tasks.load.parse.properties import addresses_of, date_of_message
from tasks.load.parse.signature import suffix_by_content
from tasks.load.parse.text import Attached, Parsed
from tasks.places import Heading
from tasks.records import Metadata

_SHOWN = ("From", "To", "Cc", "Date")
_SEALED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_MESSAGES = ("message/rfc822", "message/global")
_LONG_HEADER = 4_000  # characters: Python's reader of addresses takes the square of its length
_WRONG = (MessageError, RecursionError, ValueError, LookupError, AttributeError, TypeError)
_AS_IT_IS = default.clone(refold_source="none")
MOST_PARTS = 1000
LONGEST_NAME = 200


def parse_eml(name: str, content: bytes, languages: str = "") -> Parsed:
    """Subject, sender, receivers, date and text; of two forms of one text the richer one.

    What is attached comes with it, with its content where a format reads that: a picture only with `languages`.
    """
    try:
        message, parts, bodies = _opened(content)
    except _WRONG as error:
        cause = f"{type(error).__name__}: {error}"[:200]
        reason = f"{name} is a damaged message ({cause}); save it again, or exclude it"
        raise DocumentError("corrupt", reason) from error
    if not bodies and any(part.get_content_type() in _SEALED for part in parts):
        raise DocumentError("encrypted", f"{name} is an encrypted message; save it decrypted, or exclude it")
    subject = _header(message, "Subject")
    is_page = "Snapshot-Content-Location" in message or name.lower().endswith((".mht", ".mhtml"))
    texts = [] if is_page else [_head(message, subject)]
    texts += (_body(name, part) for part in bodies)
    rest = (f"not read: what follows its first {MOST_PARTS:,} parts",) if len(parts) > MOST_PARTS else ()
    others = [part for part in parts[:MOST_PARTS] if part not in bodies]
    attached = () if is_page else tuple(_attached(part, languages) for part in others if _is_attached(part))
    made = in_order([*texts, Parsed("", subject, remarks=rest)])
    return made._replace(properties=_properties(message), attached=attached)


def _opened(content: bytes) -> tuple[Message, list[Message], list[Message]]:
    """The message, its parts, and those that are its text."""
    try:
        return _taken_apart(email.message_from_bytes(content, policy=default))
    except _WRONG:  # a header, perhaps of an attachment, that Python's newer reader of them fails at
        return _taken_apart(email.message_from_bytes(content))


def _taken_apart(message: Message) -> tuple[Message, list[Message], list[Message]]:
    parts = _parts(message)
    shown = [part for part in parts[:MOST_PARTS] if _is_text(part)]
    return message, parts, [part for part in shown if not _is_file(part)] or shown


def _properties(message: Message) -> Metadata:
    """What searches filter by."""
    sender, receivers = addresses_of(_headers(message, "From")), addresses_of(_headers(message, "To", "Cc"))
    date = date_of_message(_header(message, "Date"))
    named = {"from": sender and sender[0], "to": receivers, "date": date}
    return {name: value for name, value in named.items() if value}


def _head(message: Message, subject: str) -> Parsed:
    """What stands above a message."""
    shown = "\n".join(f"{header}: {text}" for header in _SHOWN if (text := _header(message, header)))
    title = f"# {subject}"
    headings = (Heading(0, len(title), 1, subject),) if subject else ()
    text = "\n\n".join(filter(None, (title if subject else "", shown)))
    return Parsed(f"{text}\n" if text else "", subject, headings=headings)


def _parts(message: Message) -> list[Message]:
    """All that is no container, without recursion, up to one above the limit; a message within is one part."""
    parts: list[Message] = []
    waiting: list[Message] = [message]
    while waiting and len(parts) <= MOST_PARTS:
        part = waiting.pop()
        inner = part.get_payload() if part.is_multipart() and part.get_content_maintype() == "multipart" else None
        if isinstance(inner, list) and part.get_content_type() not in _SEALED:
            if part.get_content_type() == "multipart/alternative":
                waiting += sorted((one for one in inner if isinstance(one, Message)), key=_richness)[-1:]
            else:
                waiting += [one for one in reversed(inner) if isinstance(one, Message)]
        else:
            parts.append(part)
    return parts


def _richness(part: Message) -> int:
    """HTML, alone or with its pictures, before plain text, before what no reader of mail shows as text."""
    kind = part.get_content_type()
    if kind == "text/html":
        return 3 if str(part.get_payload()).strip() else 0
    return 2 if kind.startswith("multipart/") else int(kind == "text/plain")


def _is_file(part: Message) -> bool:
    """Some programs show small files below the message, under their names."""
    return part.get_content_disposition() == "inline" and bool(_named(part))


def _is_text(part: Message) -> bool:
    return part.get_content_type() in ("text/plain", "text/html") and part.get_content_disposition() != "attachment"


def _is_attached(part: Message) -> bool:
    """Neither a picture in the message's text, nor its signature."""
    is_picture_of_text = part.get_content_maintype() == "image" and "Content-ID" in part
    return not is_picture_of_text and part.get_content_type() not in _SIGNATURES


def _attached(part: Message, languages: str) -> Attached:
    """Its content is known for what it is by its name, else by its type, else by how it begins."""
    kind, inner, content = part.get_content_type(), part.get_payload(), b""
    try:
        if kind in _MESSAGES and str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
            content = b64decode(part.as_bytes(policy=_AS_IT_IS).replace(b"\r", b"").partition(b"\n\n")[2])
        elif isinstance(inner, list):
            content = b"".join(one.as_bytes(policy=_AS_IT_IS) for one in inner if isinstance(one, Message))
        elif isinstance(payload := part.get_payload(decode=True), bytes):
            content = payload
    except _WRONG:
        return Attached(_filename(part), 0)
    name = _filename(part)
    suffix = PurePosixPath(name).suffix.lower()
    if kind in _MESSAGES:
        suffix = ".eml"
    elif not is_known(suffix):
        suffix = SUFFIXES.get(kind) or suffix_by_content(content)
    if not is_known(suffix) or (suffix in IMAGE.suffixes and not languages):
        return Attached(name, len(content))
    return Attached(name, len(content), suffix, part.get_content_charset("") or "", b64encode(content).decode())


def _filename(part: Message) -> str:
    inner, name = part.get_payload(), _named(part)
    if not name and part.get_content_type() in _MESSAGES and isinstance(inner, list) and isinstance(inner[0], Message):
        subject = _header(inner[0], "Subject")
        name = f"the message {subject!r}" if subject else ""
    return (name or part.get_content_type())[:LONGEST_NAME].encode("utf-8", "backslashreplace").decode()


def _named(part: Message) -> str:
    try:
        return " ".join((part.get_filename() or "").split())
    except _WRONG:
        return ""


def _body(name: str, part: Message) -> Parsed:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset("")
    remarks: tuple[str, ...] = ()
    try:
        text = content.decode(charset or "utf-8")
    except (LookupError, ValueError):
        text, remarks = decode(name, content)
        if charset:
            remarks = (f"its text is not in {charset[:40]}, as it says: the charset was guessed",)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if part.get_content_type() == "text/html":
        page = html_to_markdown(text)
        return page._replace(remarks=(*remarks, *page.remarks))
    if part.get_param("format") == "flowed":
        text = text.replace("\n-- \n", "\n--\n").replace(" \n", " ")
    text = text.strip()
    return Parsed(f"{guarded(text)}\n" if text else "", remarks=remarks)


def _header(message: Message, name: str) -> str:
    """The first of the name, in one line; as it stands where it cannot be decoded."""
    return next(iter(_headers(message, name)), "")


def _headers(message: Message, *names: str) -> list[str]:
    """All of these names."""
    wanted = [name.lower() for name in names]
    raws = [(name, _unpacked(message, str(value))) for name, value in message.raw_items() if name.lower() in wanted]
    return [" ".join(_decoded(message, name, value).split()) for name, value in raws]


def _unpacked(message: Message, value: str) -> str:
    """The header as text where it holds bytes as they are: in the charset of the message, else a guess."""
    if value.isascii():
        return value
    try:
        content = value.encode("utf-8", "surrogateescape")
        return decode("a header", content, message.get_content_charset("") or "").text
    except (UnicodeError, DocumentError):
        return value


def _decoded(message: Message, name: str, value: str) -> str:
    try:
        if len(value) > _LONG_HEADER:
            return str(make_header(decode_header(value)))
        return str(message.policy.header_fetch_parse(name, value))
    except _WRONG:
        return str(value)
