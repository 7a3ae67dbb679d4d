"""Bytes become the text that their author saw, or are set aside; what was guessed is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import DocumentError
from tasks.load.declared import codec_of, declared_encoding
from tasks.load.decode import decode, without_unseen
from tasks.load.parse.open import parse
from tasks.records import DocumentId, DocumentRef

SAMPLES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data/languages.json").read_text())
LANGUAGES: dict[str, Any] = SAMPLES["languages"]
LEGACY = [(language, codec) for language, sample in LANGUAGES.items() for codec in sample["encodings"]]
MARKED = ("utf-8-sig", "utf-16", "utf-32")
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


@pytest.mark.parametrize(("language", "codec"), LEGACY)
@pytest.mark.parametrize("times", [1, 50])
def test_a_file_without_a_declaration_is_guessed_and_the_guess_is_told(language: str, codec: str, times: int) -> None:
    content = (LANGUAGES[language]["text"] + "\n").encode(codec) * times
    text, remarks = decode("a.txt", content)
    assert text == content.decode(codec)
    assert codec.startswith("iso2022") or [remark.startswith("read as ") for remark in remarks] == [True]


@pytest.mark.parametrize("codec", ["utf-8", *MARKED])
def test_what_says_what_it_is_needs_no_remark(codec: str) -> None:
    for sample in LANGUAGES.values():
        assert decode("a.txt", sample["text"].encode(codec)) == (sample["text"], ())


@pytest.mark.parametrize("codec", WIDE)
def test_sixteen_bits_without_a_mark_are_read(codec: str) -> None:
    for sample in LANGUAGES.values():
        text = sample["text"] + "\n1. x\n"
        assert decode("a.txt", text.encode(codec))[0] == text


@pytest.mark.parametrize("text", SAMPLES["western"])
@pytest.mark.parametrize("rest", ["", " and many words of plain English that say nothing." * 40])
def test_a_little_western_text_is_read_as_before(text: str, rest: str) -> None:
    decoded = decode("a.txt", (text + rest).encode("cp1252"))
    assert decoded.text == text + rest
    assert decoded.remarks[0].startswith("read as windows-1252, a guess")


@pytest.mark.parametrize(("language", "codec"), LEGACY)
def test_a_declaration_is_believed(language: str, codec: str) -> None:
    head = LANGUAGES[language]["text"][:9]  # too short for a guess
    assert decode("a.html", head.encode(codec), codec) == (head, ())


@pytest.mark.parametrize("declared", ["iso-8859-1", "windows-1251", "gb2312", "shift_jis", "us-ascii", "no-such-name"])
def test_a_page_that_is_utf_8_and_says_otherwise_is_read_as_utf_8(declared: str) -> None:
    for sample in LANGUAGES.values():
        assert decode("a.html", sample["text"].encode(), declared) == (sample["text"], ())


@pytest.mark.parametrize("wrong", [b"\xff", b"\xe4", b"\xc3", b"\x80\x80"])
@pytest.mark.parametrize("declared", ["", "utf-8", "iso-8859-1"])
def test_a_wrong_byte_does_not_turn_a_file(wrong: bytes, declared: str) -> None:
    number = "2 bytes" if len(wrong) > 1 else "1 byte"
    for sample in LANGUAGES.values():
        text, remarks = decode("a.txt", sample["text"].encode() + b" " + wrong + b" end", declared)
        assert text.startswith(f"{sample['text']} \ufffd")
        assert remarks == (f"{number} could not be read as UTF-8",)


def test_a_file_cut_inside_a_character_stays_what_it_is() -> None:
    content = "Größe, Länge".encode() + "ü".encode()[:1]
    assert decode("a.txt", content) == ("Größe, Länge\ufffd", ("1 byte could not be read as UTF-8",))
    assert decode("a.txt", "Ünïcode words".encode("utf-16")[:-1])[0] == "Ünïcode word\ufffd"


@pytest.mark.parametrize(
    "content",
    [
        b"\x81\x8d\x8f\x90\x9d ab" * 20,
        bytes(range(128, 256)) * 9,
        b"caf\x81 \xe9",
        "Größe der Pumpe: für außen schön".encode("cp437"),  # as Latin-2 its letters are controls
        "Größe der Pumpe: ändern, Öl nachfüllen, prüfen, Überlauf".encode("mac-roman"),  # as KOI8 lines in words
    ],
)
def test_what_nobody_can_name_is_set_aside_with_the_best_guess(content: bytes) -> None:
    with pytest.raises(DocumentError, match=r"a\.txt is not UTF-8; the best guess is .*; save it as UTF-8") as caught:
        decode("a.txt", content)
    assert caught.value.reason == "undecodable"


def test_a_few_strange_bytes_do_not_cost_a_long_text() -> None:
    strange = "Größe der Pumpe: für außen schön".encode("cp437")
    text, remarks = decode("a.txt", b"words and words, " * 900 + strange)
    assert text.startswith("words and words, words")
    assert remarks[0] == "5 bytes of an unknown encoding are read as windows-1252"


@pytest.mark.parametrize("content", [bytes(range(256)) * 9, b"text\0" * 50, b"\1\0\2\0\3\0" * 90, b"\x7fELF\2\1\1\0"])
def test_a_binary_is_no_text_of_sixteen_bits(content: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        decode("a.txt", content)
    assert caught.value.reason == "binary"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m \x1b]8;;http://e.org\x1b\\link\x1b]8;;\x07", "red link"),
        ("N\x08NA\x08A _\x08b", "NA b"),
        ("soft\xadware zero\ufeffwidth", "software zerowidth"),
        (
            "seen\U000e0073\U000e0065\U000e0063 \U0001f3f4\U000e0067\U000e0062\U000e007f",
            "seen \U0001f3f4\U000e0067\U000e0062\U000e007f",
        ),
        ("ไทย\u200bไทย \u200d", "ไทย\u200bไทย \u200d"),
    ],
)
def test_what_a_text_holds_for_a_terminal_or_for_no_eye_is_out(written: str, shown: str) -> None:
    assert without_unseen(written) == shown
    for suffix in ("txt", "log", "md", "rst", "adoc", "org", "tex", "srt"):
        ref = DocumentRef(DocumentId("s:a"), "s", f"a.{suffix}")
        assert parse(ref, f"Words {written} end\n".encode()).text.strip() == f"Words {shown} end"


def test_two_halves_of_a_character_become_one() -> None:
    halves = b"a \xed\xa0\xbd\xed\xb8\x80 b \xed\xa0\xbd c"
    assert decode("a.txt", b"plain words " + halves).text == "plain words a \U0001f600 b \ufffd c"


@pytest.mark.parametrize(
    ("suffix", "head", "codec"),
    [
        (".html", '<html><head><meta charset="windows-1251">', "cp1251"),
        (".htm", "<META CHARSET=koi8-r>", "koi8-r"),
        (".html", '<meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-1">', "cp1252"),
        (".html", "<meta content='text/html;charset=gb2312' http-equiv=content-type>", "gb18030"),
        (".html", "<!-- <meta charset=big5> --><meta charset='euc-kr'>", "cp949"),
        (".html", '<?xml version="1.0" encoding="shift_jis"?><html>', "cp932"),
        (".html", "<meta charset=utf-16>", ""),
        (".html", f"{'<!-- x -->' * 50}<meta charset=iso-8859-2>", "iso8859-2"),
        (".xml", "<?xml version='1.0' encoding='windows-1250'?><a/>", "cp1250"),
        (".xml", '<?xml version="1.0"?><a encoding="windows-1250"/>', ""),
        (".py", "#!/usr/bin/python\n# -*- coding: latin-1 -*-\n", "cp1252"),
        (".py", "# vim: set fileencoding=cp1251 :\n", "cp1251"),
        (".py", "\n\n# coding: latin-1\n", ""),
        (".txt", "no coding here\n", ""),
        (".md", "Put `<meta charset=gbk>` into the head.\n", ""),
        (".css", '@charset "iso-8859-15";\n', "iso8859-15"),
        (".tex", "\\documentclass{a}\n\\usepackage[latin1]{inputenc}\n", "cp1252"),
        (".tex", "% \\usepackage[latin1]{inputenc}\n", ""),
        (".adoc", "= Title\n:encoding: iso-8859-9\n", "cp1254"),
        (".rst", ".. -*- coding: euc-jp -*-\n", "euc_jp"),
    ],
)
def test_a_file_says_what_it_is_where_its_format_has_a_place_for_it(suffix: str, head: str, codec: str) -> None:
    assert declared_encoding(suffix, head.encode()) == codec


@pytest.mark.parametrize("label", ["utf-7", "idna", "rot13", "hex", "cp037", "utf-16", "unicode_escape", "x", "", "\0"])
def test_a_label_that_would_change_plain_text_is_none(label: str) -> None:
    assert codec_of(label) == ""
