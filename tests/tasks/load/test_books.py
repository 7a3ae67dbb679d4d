"""Books and messages: chapters and parts in their order, and a word for what is not read."""

import time

import pytest

from tasks.load.parse.eml import parse_eml
from tasks.load.parse.epub import parse_epub
from tests.tasks.load.books import eml, epub, mixed


def test_a_book_is_its_chapters_in_reading_order() -> None:
    parsed = parse_epub("a.epub", epub("<h1>One</h1><p>First<a id='x'/> words.</p>", "<h1>Two</h1><p>Last.</p>"))
    assert parsed.text == "Ada L.\n\n# One\n\nFirst words.\n\n# Two\n\nLast.\n"
    assert parsed.title == "Alpha"
    assert [(parsed.text[one.start : one.end], one.title) for one in parsed.headings or ()] == [
        ("# One", "One"),
        ("# Two", "Two"),
    ]


def test_a_chapter_that_is_missing_or_shows_more_is_named() -> None:
    parsed = parse_epub("a.epub", epub("<p>Words.</p><iframe></iframe>", missing=1))
    assert parsed.remarks == ("chapter 1: not read: 1 frame", "chapter 2 is missing")


def test_a_book_without_a_title_has_that_of_its_first_chapter() -> None:
    assert parse_epub("a.epub", epub("<p>x</p>", "<h1>One</h1>", title="")).title == "One"


def test_a_book_of_pictures_has_no_text() -> None:
    parsed = parse_epub("a.epub", epub("<img/>"))
    assert (parsed.text, parsed.remarks) == ("", ("chapter 1: 1 picture and no text",))


def test_a_message_begins_with_what_its_readers_see() -> None:
    parsed = parse_eml("a.eml", eml("Grüße\n> quoted\n# no title\n".encode(), subject="=?utf-8?q?Pl=C3=A4ne?="))
    head = "# Pläne\n\nFrom: Ada <ada@example.org>\nTo: bo@example.org\n"
    assert parsed.text == f"{head}\nGrüße\n> quoted\n\\# no title\n"
    assert [(one.level, one.title) for one in parsed.headings or ()] == [(1, "Pläne")]
    assert parsed.title == "Pläne"


PLAIN = ("Content-Type: text/plain", b"plain form")
RICH = ("Content-Type: text/html; charset=iso-8859-1", "<p>rich <b>f\xf6rm</b>".encode("latin-1"))


@pytest.mark.parametrize("parts", [(PLAIN, RICH), (RICH, PLAIN)])
def test_of_two_forms_of_one_text_the_richer_one_is_read(parts: tuple[tuple[str, bytes], ...]) -> None:
    assert parse_eml("a.eml", mixed(*parts, kind="alternative")).text.endswith("\n\nrich förm\n")


def test_an_empty_rich_form_gives_way_to_the_plain_one() -> None:
    message = mixed(PLAIN, ("Content-Type: text/html", b""), kind="alternative")
    assert parse_eml("a.eml", message).text.endswith("\n\nplain form\n")


@pytest.mark.parametrize(("codec", "charset"), [("utf-8", ""), ("latin-1", ""), ("koi8-r", "; charset=koi8-r")])
def test_a_header_with_bytes_as_they_are_is_read_like_the_text(codec: str, charset: str) -> None:
    subject = "Größe" if codec != "koi8-r" else "\u041d\u0430\u0441\u043e\u0441"
    head = (
        f"From: {subject} <a@b.c>\nSubject: {subject} =?utf-8?q?b?=\nContent-Type: text/plain{charset}\n\n{subject}\n"
    )
    parsed = parse_eml("a.eml", head.encode(codec))
    assert parsed.title == f"{subject} b"
    assert subject in parsed.text.split("\n\n")[-1]
    assert [remark[:20] for remark in parsed.remarks] == (["read as windows-1252"] if codec == "latin-1" else [])


def test_flowed_lines_are_joined_and_an_unknown_charset_is_told() -> None:
    flowed = "text/plain; charset=x-none; format=flowed"
    parsed = parse_eml("a.eml", eml("one caf\xe9 \r\nline\r\ntwo".encode(), flowed))
    assert parsed.text.endswith("\n\none café line\ntwo\n")
    assert parsed.remarks == ("its text is not in x-none, as it says: the charset was guessed",)


def test_a_saved_page_is_the_page() -> None:
    page = ("Content-Type: text/html\r\nContent-Location: http://a/b", b"<title>Saved</title><h1>Page</h1><p>words")
    picture = ("Content-Type: image/png", b"x")
    parsed = parse_eml("a.mhtml", mixed(page, picture, kind="related"))
    assert (parsed.text, parsed.title, parsed.remarks) == ("# Page\n\nwords\n", "Saved", ())


def test_a_header_of_many_addresses_is_read_as_a_short_one_is() -> None:
    def receivers(count: int) -> list[str]:
        names = ", ".join(
            f'=?utf-8?q?J=C3=BCrgen_{at}?= <j{at}@example.org>, "Doe, A. {at}" <a{at}@b.org>' for at in range(count)
        )
        return (
            parse_eml("a.eml", f"From: x@y.org\nTo: {names}\n\nHello\n".encode())
            .text.partition("To: ")[2]
            .split("\n")[0]
            .split(">, ")
        )

    few, many = receivers(3), receivers(300)
    assert few[:5] == many[:5]
    assert len(many) == 600


@pytest.mark.parametrize("marks", ["To: ", "To: <", "<", "(", '"', "a:", "[", "\\"])
def test_addresses_take_time_in_proportion_to_their_length(marks: str) -> None:
    def seconds(length: int) -> float:
        content = f"From: x@y.org\nTo: <{marks * (length // len(marks))}\n\nHello\n".encode()
        start = time.process_time()
        parse_eml("a.eml", content)
        return time.process_time() - start

    assert min(seconds(64_000) for _ in range(2)) < 24 * max(0.005, min(seconds(8_000) for _ in range(3)))
