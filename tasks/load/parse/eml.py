"""Messages (EML) and pages saved as one (MHT): what a reader of mail sees, without what is attached."""

import email
from email.errors import MessageError
from email.message import Message
from email.policy import default

from tasks.errors import DocumentError
from tasks.load.decode import decode
from tasks.load.parse.html import html_to_markdown
from tasks.load.parse.page.flow import in_order
from tasks.load.parse.page.inline import guarded
from tasks.load.parse.properties import date_of_message, stated
from tasks.load.parse.text import Parsed
from tasks.places import Heading

_SHOWN = ("From", "To", "Cc", "Date")
_SEALED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
MOST_PARTS = 1000


def parse_eml(name: str, content: bytes) -> Parsed:
    """Subject, sender, receivers, date and text; of two forms of one text the richer one."""
    try:
        message = email.message_from_bytes(content, policy=default)
        parts = _parts(message)
    except (MessageError, RecursionError, ValueError, LookupError, AttributeError, TypeError) as error:
        cause = f"{type(error).__name__}: {error}"[:200]
        reason = f"{name} is a damaged message ({cause}); save it again, or exclude it"
        raise DocumentError("corrupt", reason) from error
    if any(part.get_content_type() in _SEALED for part in parts):
        raise DocumentError("encrypted", f"{name} is an encrypted message; save it decrypted, or exclude it")
    subject = _header(message, "Subject")
    is_page = "Snapshot-Content-Location" in message or name.lower().endswith((".mht", ".mhtml"))
    texts = [] if is_page else [_head(message, subject)]
    texts += (_body(name, part) for part in filter(_is_body, parts))
    attached = [_filename(part) for part in parts if _is_attached(part)]
    unread = f"not read: {len(attached):,} attached ({', '.join(attached[:10])})"
    remarks = () if is_page or not attached else (unread,)
    made = in_order([*texts, Parsed("", subject, remarks=remarks)])
    stands = {name.lower(): _header(message, name) for name in ("From", "To", "Date")}
    return made._replace(properties=stated({**stands, "date": date_of_message(stands["date"])}))


def _head(message: Message, subject: str) -> Parsed:
    """What stands above a message."""
    shown = "\n".join(f"{header}: {text}" for header in _SHOWN if (text := _header(message, header)))
    title = f"# {subject}"
    headings = (Heading(0, len(title), 1, subject),) if subject else ()
    text = "\n\n".join(filter(None, (title if subject else "", shown)))
    return Parsed(f"{text}\n" if text else "", subject, headings=headings)


def _parts(message: Message) -> list[Message]:
    """All that is no container, without recursion; a message within the message is one part."""
    parts: list[Message] = []
    waiting: list[Message] = [message]
    while waiting:
        part = waiting.pop()
        inner = part.get_payload() if part.is_multipart() and part.get_content_maintype() == "multipart" else None
        if isinstance(inner, list) and part.get_content_type() not in _SEALED:
            if part.get_content_type() == "multipart/alternative":
                waiting += sorted((one for one in inner if isinstance(one, Message)), key=_richness)[-1:]
            else:
                waiting += [one for one in reversed(inner) if isinstance(one, Message)]
        else:
            parts.append(part)
        if len(parts) + len(waiting) > MOST_PARTS:
            raise ValueError(f"more than {MOST_PARTS:,} parts")
    return parts


def _richness(part: Message) -> int:
    """HTML, alone or with its pictures, before plain text, before what no reader of mail shows as text."""
    kind = part.get_content_type()
    if kind == "text/html":
        return 3 if str(part.get_payload()).strip() else 0
    return 2 if kind.startswith("multipart/") else int(kind == "text/plain")


def _is_body(part: Message) -> bool:
    return part.get_content_type() in ("text/plain", "text/html") and part.get_content_disposition() != "attachment"


def _is_attached(part: Message) -> bool:
    is_picture_of_text = part.get_content_maintype() == "image" and "Content-ID" in part
    return not _is_body(part) and not is_picture_of_text


def _filename(part: Message) -> str:
    inner = part.get_payload()
    if part.get_content_type() == "message/rfc822" and isinstance(inner, list) and isinstance(inner[0], Message):
        return f"the message {_header(inner[0], 'Subject')!r}"
    try:
        return " ".join((part.get_filename() or "").split()) or part.get_content_type()
    except (MessageError, ValueError, LookupError, AttributeError, TypeError):
        return part.get_content_type()


def _body(name: str, part: Message) -> Parsed:
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset("")
    remarks: tuple[str, ...] = ()
    try:
        text = content.decode(charset or "utf-8")
    except (LookupError, ValueError):
        text = decode(name, content).text
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
    """In one line; as it stands where it cannot be decoded."""
    try:
        return " ".join(str(message.get(name, "")).split())
    except (MessageError, RecursionError, ValueError, LookupError, AttributeError, TypeError):
        raw = next((text for header, text in message.raw_items() if header.lower() == name.lower()), "")
        return " ".join(str(raw).split())
