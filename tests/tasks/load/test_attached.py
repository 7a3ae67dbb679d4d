"""What is attached to a message is read with it, each part by itself: none of them can cost the message its text."""

import time
from base64 import encodebytes
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from tasks.errors import DocumentError
from tasks.load.parse import attached
from tasks.load.parse.isolated import child
from tasks.load.parse.open import parse
from tasks.records import Document, DocumentId, DocumentRef
from tests.tasks.load import books
from tests.tasks.load.bad_inputs import docx, pdf

PLAIN = ("Content-Type: text/plain", b"My own words.")


def read(content: bytes, languages: str = "") -> Document:
    return parse(DocumentRef(DocumentId("m:a.eml"), "m", "a.eml"), content, languages=languages)


def part(name: str, content: bytes, kind: str = "application/octet-stream") -> tuple[str, bytes]:
    head = f'Content-Type: {kind}\r\nContent-Disposition: attachment; filename="{name}"'
    return f"{head}\r\nContent-Transfer-Encoding: base64", encodebytes(content)


def nested(content: bytes) -> tuple[str, bytes]:
    return "Content-Type: message/rfc822", content


READ = {
    "plan.pdf": (pdf("Words of a page."), "Words of a page."),
    "plan.DOCX": (docx("Words of a file."), "Words of a file."),
    "plan.md": (b"# Inside\n\nWords.\n", "# Inside\n\nWords."),
    "plan.html": (b"<h1>Inside</h1><p>Words", "# Inside\n\nWords"),
    "plan.csv": (b"a,b\n1,2\n", "| a | b |"),
    "plan.py": (b"def plan():\n    pass\n", "```py\ndef plan():\n    pass\n```"),
    "plan.txt": (b"# no title", "\\# no title"),
    "plan": (pdf("Words of a page."), "Words of a page."),
    "=?utf-8?q?Pl=C3=A4ne=2Etxt?=": (b"words", "## Attachment: Pl\xe4ne.txt\n\nwords"),
}


@pytest.mark.parametrize("name", READ)
def test_an_attachment_that_a_format_reads_stands_below_its_name(name: str) -> None:
    content, words = READ[name]
    document = read(books.mixed(PLAIN, part(name, content)))
    before, _, after = document.text.partition("\n\n## Attachment: ")
    assert before.endswith("My own words.")
    assert words in f"## Attachment: {after}"
    assert document.remarks == ()
    titles = [(one.level, one.title, document.text[one.start : one.end]) for one in document.headings or ()]
    assert titles[0] == (1, "Alpha", "# Alpha")
    assert titles[1][:2] == (2, titles[1][2].removeprefix("## "))
    assert titles[2:] == ([(3, "Inside", "# Inside")] if "Inside" in words else [])


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("text/plain; charset=iso-8859-1", "gr\xfcn".encode("latin-1"), "gr\xfcn"),
        ("application/pdf", pdf("Words of a page."), "Words of a page."),
        ("text/html", b"<p>Words <b>here", "Words here"),
    ],
)
def test_a_name_that_tells_nothing_gives_way_to_the_type(kind: str, content: bytes, words: str) -> None:
    assert words in read(books.mixed(PLAIN, part("plan.unknown", content, kind))).text


def test_a_text_that_is_shown_below_the_message_is_an_attachment_if_it_has_a_name() -> None:
    head = 'Content-Type: text/plain\r\nContent-Disposition: inline; filename="notes.txt"'
    notes = (head, b"Noted words.")
    assert read(books.mixed(PLAIN, notes)).text.endswith("My own words.\n\n## Attachment: notes.txt\n\nNoted words.\n")
    assert read(books.mixed(notes)).text.endswith("\n\nNoted words.\n")


HOSTILE = {
    "broken.pdf": (b"%PDF-1.7 nothing", "corrupt"),
    "no.docx": (b"no archive", "wrong-type"),
    "bomb.docx": (lambda: docx("x" * 30_000_000), "too-large"),
    "deep.json": (b"[" * 1_000_000, "too-deep"),
    "binary.txt": (b"\x7fELF\x00\x01", "binary"),
    "movie.mp4": (b"x", ""),
    "empty.txt": (b"", ""),
    "page.png": (b"\x89PNG", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_attachment_is_listed_and_costs_nothing_else(name: str) -> None:
    content, reason = HOSTILE[name]
    made = content() if callable(content) else content
    document = read(books.mixed(PLAIN, part(name, made), part("good.txt", b"Good words.")))
    assert "My own words.\n\n## Attachment: good.txt\n\nGood words.\n" in document.text
    assert document.text.endswith(f"Attached, not read: {name} ({len(made):,} bytes)\n")
    told = f"{name}: {reason}" if reason else name
    assert document.remarks == (f"not read: 1 attached ({told})",)


def test_an_attachment_that_ends_its_parser_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    parse_in_child = child.SHARED.parse

    def dying(parser: str, name: str, content: bytes, *more: str) -> object:
        if name == "bad.csv":
            raise DocumentError("parser-timeout", f"{name} keeps its parser busy")
        return parse_in_child(parser, name, content, *more)

    monkeypatch.setattr(child.SHARED, "parse", dying)
    document = read(books.mixed(PLAIN, part("bad.csv", b"a,b\n"), part("good.csv", b"a,b\n1,2\n")))
    assert "My own words." in document.text
    assert "## Attachment: good.csv" in document.text
    assert document.remarks == ("not read: 1 attached (bad.csv: parser-timeout)",)


def test_messages_within_messages_are_read_with_what_is_attached_to_them() -> None:
    inner = books.mixed(("Content-Type: text/plain", b"Inner words."), part("in.txt", b"Deep words."))
    document = read(books.mixed(PLAIN, nested(inner.replace(b"Alpha", b"Beta"))))
    assert "## Attachment: the message 'Beta'\n\n# Beta\n\nFrom: Ada <ada@example.org>" in document.text
    assert "Inner words.\n\n## Attachment: in.txt\n\nDeep words." in document.text
    assert [(one.level, one.title) for one in document.headings or ()] == [
        (1, "Alpha"), (2, "Attachment: the message 'Beta'"), (3, "Beta"), (4, "Attachment: in.txt"),
    ]  # fmt: skip
    assert document.metadata["title"] == "Alpha"


def test_a_message_that_was_packed_although_none_may_be_is_read() -> None:
    head = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64"
    document = read(books.mixed(PLAIN, (head, encodebytes(books.eml(b"Inner words.")))))
    assert "## Attachment: message/rfc822\n\n# Alpha\n\nFrom: Ada" in document.text
    assert document.text.endswith("Inner words.\n")


def test_messages_are_read_a_few_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    message = books.eml(b"The innermost words.")
    for _ in range(8):
        message = books.mixed(PLAIN, nested(message))
    document = read(message)
    assert document.text.count("My own words.") == 1 + attached.DEEPEST
    assert "innermost" not in document.text
    assert "too-many" in document.remarks[0]


def test_attachments_have_common_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    content = books.mixed(PLAIN, *(part(f"{number}.txt", b"w" * 100) for number in range(7)))
    monkeypatch.setattr(attached, "MOST_READ", 5)
    monkeypatch.setattr(attached, "MOST_CHARACTERS", 350)
    document = read(content)
    assert document.text.count("## Attachment") == 3
    expected = "3.txt: too-large, 4.txt: too-large, 5.txt: too-many, 6.txt: too-many"
    assert document.remarks == (f"not read: 4 attached ({expected})",)


def test_attachments_have_the_time_of_one_file_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "SECONDS", -1)
    document = read(books.mixed(PLAIN, part("a.txt", b"words")))
    assert "My own words." in document.text
    assert document.remarks == ("not read: 1 attached (a.txt: parser-timeout)",)


def test_a_part_that_is_encrypted_costs_no_text() -> None:
    sealed = ("Content-Type: application/pkcs7-mime; name=smime.p7m", b"x")
    document = read(books.mixed(PLAIN, sealed))
    assert "My own words." in document.text
    assert document.remarks == ("not read: 1 attached (smime.p7m)",)
    with pytest.raises(DocumentError, match="encrypted"):
        read(books.mixed(sealed))


def test_more_parts_than_there_may_be_cost_no_text() -> None:
    document = read(books.mixed(PLAIN, *[("Content-Type: image/png", b"x")] * 1500))
    assert "My own words." in document.text
    assert "not read: what follows its first 1,000 parts" in document.remarks


def test_a_signature_is_nothing_that_is_attached() -> None:
    document = read(books.mixed(PLAIN, part("smime.p7s", b"x", "application/pkcs7-signature"), kind="signed"))
    assert document.remarks == ()
    assert "Attached" not in document.text


NAMES: dict[str, Callable[[EmailMessage], None]] = {
    "../../etc/passwd": lambda message: message.add_attachment(b"x", "a", "b", filename="../../etc/passwd"),
    "a b": lambda message: message.add_attachment(b"x", "a", "b", filename="a\tb"),
    "a/b": lambda message: message.add_attachment(b"x", "a", "b"),
    "n" * 200: lambda message: message.add_attachment(b"x", "a", "b", filename="n" * 5000),
}


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_an_attachment_is_named_in_one_line(name: str) -> None:
    message = EmailMessage()
    message["From"] = "a@example.org"
    message.set_content("My own words.")
    NAMES[name](message)
    assert read(message.as_bytes()).text.endswith(f"\n\nAttached, not read: {name} (1 bytes)\n")


def test_many_attachments_take_little_time() -> None:
    content = books.mixed(PLAIN, *(part(f"{number}.csv", b"a,b\n1,2\n") for number in range(900)))
    started = time.perf_counter()
    document = read(content)
    assert time.perf_counter() - started < 5
    assert "not read: 800 attached" in document.remarks[0]
