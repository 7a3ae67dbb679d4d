"""A message together with what is attached to it: each attachment is parsed by itself, so a hostile one costs none."""

import time
from base64 import b64decode
from collections.abc import Callable
from typing import NamedTuple

from tasks.errors import DocumentError
from tasks.load.decode import normalised
from tasks.load.parse.page.flow import in_order
from tasks.load.parse.page.inline import guarded
from tasks.load.parse.page.listing import fenced
from tasks.load.parse.text import Attached, Parsed
from tasks.markdown import find_headings
from tasks.places import Heading
from tasks.records import Format

MOST_READ = 100
MOST_NAMED = 100
MOST_CHARACTERS = 20_000_000
DEEPEST = 5  # messages within messages


class Read(NamedTuple):
    """What an attachment's parser made of it."""

    parsed: Parsed
    form: Format
    language: str


class Attachments:
    """Those of one document, within common limits: number, characters, depth, and the time that one file may take."""

    def __init__(self, read: Callable[[Attached, bytes], Read], seconds: float) -> None:
        """`read` parses one; its DocumentError sets only that one aside."""
        self._read = read
        self._end = time.monotonic() + seconds
        self._left = MOST_READ
        self._characters = MOST_CHARACTERS

    def with_message(self, message: Parsed, depth: int = 0) -> Parsed:
        """One text: the message's own, each attachment below a heading that names it, and a line with the others."""
        parts = [message]
        unread: list[tuple[Attached, str]] = []
        for one in message.attached:
            try:
                part = self._part(one, depth) if one.suffix else Parsed("")
            except DocumentError as error:
                unread.append((one, error.reason))
                continue
            if not part.text.strip():
                unread.append((one, ""))
            parts += _below_its_name(one.name, part)
        shown = [f"{one.name} ({one.size_bytes:,} bytes)" for one, _ in unread[:MOST_NAMED]]
        told = [": ".join(filter(None, (one.name, reason))) for one, reason in unread[:10]]
        listed = f"Attached, not read: {', '.join(shown)}\n" if unread else ""
        remarks = (f"not read: {len(unread):,} attached ({', '.join(told)})",) if unread else ()
        whole = in_order([*parts, Parsed(normalised(listed), remarks=remarks)])
        return whole._replace(title=message.title, properties=message.properties)

    def _part(self, one: Attached, depth: int) -> Parsed:
        if not self._left or depth >= DEEPEST:
            raise DocumentError("too-many", f"more than {MOST_READ:,} attachments, or {DEEPEST} messages deep")
        if time.monotonic() > self._end:
            raise DocumentError("parser-timeout", f"{one.name} comes after what took too long")
        self._left -= 1
        parsed, form, language = self._read(one, b64decode(one.packed))
        if len(parsed.text) > self._characters:
            raise DocumentError("too-large", f"{one.name} has too much text")
        self._characters -= len(parsed.text)
        return self.with_message(parsed, depth + 1) if parsed.attached else _as_markdown(parsed, form, language)


def _as_markdown(parsed: Parsed, form: Format, language: str) -> Parsed:
    match form:
        case "markdown":
            headings = parsed.headings
            return parsed._replace(headings=tuple(find_headings(parsed.text)) if headings is None else headings)
        case "code":
            block = fenced(parsed.text, language)
            return parsed._replace(text=f"{block.text}\n" if block else "", headings=())
        case _:
            return parsed._replace(text=guarded(parsed.text), headings=())


def _below_its_name(name: str, part: Parsed) -> list[Parsed]:
    """The parts of a text without one: what was remarked of it alone."""
    title = f"Attachment: {name}"
    line = f"## {title}"
    remarks = tuple(f"{name}: {remark}" for remark in part.remarks)
    inner = tuple(one._replace(level=one.level + 2) for one in part.headings or ())
    if not part.text.strip():
        return [Parsed("", remarks=remarks)]
    text = part.text if part.text.endswith("\n") else f"{part.text}\n"
    heading = Parsed(f"{line}\n", headings=(Heading(0, len(line), 2, title),))
    return [heading, Parsed(text, headings=inner, remarks=remarks)]
