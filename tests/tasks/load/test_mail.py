"""Exports of mail: where a message begins, which one it is, and what changes it."""

import os
import tracemalloc
from pathlib import Path

import pytest

from config.sources import MailSource
from tasks.errors import DocumentError
from tasks.load import mail
from tasks.load.mail import MailFiles
from tasks.records import Document

OLD = 1_700_000_000


def message(number: int | str, body: str = "Hello.", **headers: str) -> str:
    lines = {
        "From": f"Ada <Ada{number}@example.org>",
        "To": "bob@example.org, Carl <carl@example.org>",
        "Subject": f"Subject {number}",
        "Date": "Mon, 01 Jan 2024 10:00:00 +0100",
        "Message-ID": f"<{number}@example.org>",
        **headers,
    }
    return "".join(f"{name}: {text}\n" for name, text in lines.items() if text) + f"\n{body}\n"


def mbox(*messages: str, between: str = "From ada@example.org Mon Jan  1 10:00:00 2024") -> str:
    return "".join(f"{between}\n{one}\n" for one in messages)


def opened(path: Path, **settings: object) -> MailFiles:
    return MailFiles(MailSource.model_validate({"kind": "mail", "name": "m", "path": str(path), **settings}))


def documents(source: MailFiles) -> dict[str, Document]:
    listing = source.list()
    assert listing.failed == ()
    return {ref.path: source.read(ref) for ref in listing.refs}


def names(source: MailFiles) -> list[str]:
    return [ref.path for ref in source.list().refs]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    os.utime(path, (OLD, OLD))
    return path


def test_a_message_is_a_document_with_typed_metadata(tmp_path: Path) -> None:
    path = write(tmp_path / "Archive.mbox", mbox(message(1), message(2, Cc="Dora <dora@example.org>")))
    first, second = documents(opened(path)).values()
    assert first.metadata == {
        "title": "Subject 1", "folder": "Archive", "from": "ada1@example.org",
        "to": ["bob@example.org", "carl@example.org"], "date": "2024-01-01T10:00:00+01:00",
    }  # fmt: skip
    assert first.text.startswith("# Subject 1\n\nFrom: Ada <Ada1@example.org>\n")
    assert first.text.endswith("\n\nHello.\n")
    assert (first.ref.path, second.ref.path) == ("1@example.org", "2@example.org")
    assert second.metadata["to"] == ["bob@example.org", "carl@example.org", "dora@example.org"]


BODIES = {
    "From here on it is easy.": "From here on it is easy.",
    "\n\nFrom here on it is easy.\n\nFrom 10:30 in 2024 on\nas well": "From 10:30 in 2024 on",
    ">From a reply": "From a reply",
    ">>From a reply to it": ">From a reply to it",
    "\n\nFrom ada Mon Jan  1 10:00:00 2024\nand no header": "and no header",
    "\n\nFrom 10:30 in 2024 on\nhttps://example.org/x": "https://example.org/x",
    "  From: no\n\nFrom:\nFrom\nFromage": "Fromage",
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_line_that_begins_like_a_message_is_none(tmp_path: Path, body: str, ending: str) -> None:
    text = mbox(message(1, body), message(2), message(3, body)).replace("\n", ending)
    found = documents(opened(write(tmp_path / "x.mbox", text)))
    assert [*found] == ["1@example.org", "2@example.org", "3@example.org"]
    assert BODIES[body] in found["1@example.org"].text
    assert found["1@example.org"].text.split("Hello")[0].count("Subject") == 1


@pytest.mark.parametrize(
    "between",
    [
        "From 1781@xxx Mon Jan 01 10:00:00 +0000 2024",
        "From - Mon Jan  1 10:00:00 2024",
        "From MAILER-DAEMON Mon Jan  1 10:00 2024",
        "From ???@??? Mon Jan 01 10:00:00 2024",
        "From ada@example.org  Mon, 01 Jan 2024 10:00:00 -0800 (PST)",
    ],
)
def test_the_line_between_messages_has_many_forms(tmp_path: Path, between: str) -> None:
    path = write(tmp_path / "x", mbox(message(1), message(2), message(3), between=between))
    assert names(opened(path)) == ["1@example.org", "2@example.org", "3@example.org"]


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_where_a_block_ends_changes_nothing(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "READ_BYTES", size)
    monkeypatch.setattr(mail, "_LOOK_BYTES", 200)
    path = write(tmp_path / "x.mbox", mbox(*(message(number, "x" * (7 * number)) for number in range(12))))
    assert names(opened(path)) == [f"{number}@example.org" for number in range(12)]


def test_a_last_message_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    text = mbox(message(1), message(2, "Some words that are cut off here"))
    found = documents(opened(write(tmp_path / "x.mbox", text[:-8])))
    assert found["2@example.org"].text.endswith("that are cut of\n")
    found = documents(opened(write(tmp_path / "x.mbox", text[: text.index("Message-ID: <2")])))
    assert len(found) == 2


def test_a_message_may_name_nobody_who_wrote_it(tmp_path: Path) -> None:
    heads = ("Date: Mon, 01 Jan 2024 10:00:00 +0100\n", "To: b@example.org\n", "Message-Id: <3@example.org>\n")
    found = documents(opened(write(tmp_path / "x.mbox", mbox(*(f"{head}\nHello.\n" for head in heads)))))
    assert ["Hello." in document.text for document in found.values()] == [True] * 3


def test_a_message_with_no_id_has_one_that_stays(tmp_path: Path) -> None:
    none = {"Message-ID": ""}
    first = names(opened(write(tmp_path / "x.mbox", mbox(message(1, **none), message(2, **none)))))
    flagged = mbox(message(1, Status="RO", **none), message(2, **none, X_Keywords="a"))
    assert names(opened(write(tmp_path / "x.mbox", flagged))) == first
    assert len({*first}) == 2
    assert names(opened(write(tmp_path / "x.mbox", mbox(message(2, **none))))) == first[1:]


def test_messages_with_one_id_are_numbered_and_told(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "x.mbox", mbox(message(1), message(1, "Other."), message(2))))
    listing = source.list()
    assert [ref.id for ref in listing.refs] == ["m:1@example.org", "m:1@example.org#2", "m:2@example.org"]
    assert "1 messages have the Message-ID of another" in listing.notes[0]
    assert "Other." in source.read(listing.refs[1]).text


def test_only_what_changed_has_another_hint(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "x.mbox", mbox(message(1), message(2), message(3))))
    before = {ref.path: ref.hint for ref in source.list().refs}
    write(tmp_path / "x.mbox", mbox(message(2, "Edited, and longer."), message(3), message(4)))
    after = {ref.path: ref.hint for ref in source.list().refs}
    assert {name for name in before if after.get(name) == before[name]} == {"3@example.org"}


def test_a_file_that_changed_since_it_was_listed_is_not_read_amiss(tmp_path: Path) -> None:
    source = opened(write(tmp_path / "x.mbox", mbox(message(1), message(2))))
    last = source.list().refs[-1]
    write(tmp_path / "x.mbox", mbox(message(2)))
    with pytest.raises(DocumentError, match="has changed; the next run"):
        source.read(last)


def maildir(root: Path) -> None:
    for part in ("cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"):
        (root / part).mkdir(parents=True)
    write(root / "cur/100.a.host:2,S", message(1))
    write(root / "new/200.b.host", message(2))
    write(root / "tmp/300.c.host", message(3))
    write(root / ".Sent/cur/400.d.host:2,", message(4))


def test_a_flag_of_a_maildir_changes_nothing(tmp_path: Path) -> None:
    maildir(tmp_path / "box")
    source = opened(tmp_path / "box")
    before = source.list()
    assert [ref.path for ref in before.refs] == ["1@example.org", "2@example.org", "4@example.org"]
    assert [source.read(ref).metadata["folder"] for ref in before.refs] == ["INBOX", "INBOX", "Sent"]
    (tmp_path / "box/cur/100.a.host:2,S").rename(tmp_path / "box/cur/100.a.host:2,RS")
    (tmp_path / "box/new/200.b.host").rename(tmp_path / "box/cur/200.b.host:2,S")
    assert [source.read(ref).text for ref in before.refs], "flagged after it was listed"
    assert {ref.path: ref.hint for ref in source.list().refs} == {ref.path: ref.hint for ref in before.refs}
    assert all(ref.hint for ref in before.refs)


def test_a_folder_is_searched_for_mailboxes_of_any_kind(tmp_path: Path) -> None:
    maildir(tmp_path / "mail/box")
    write(tmp_path / "mail/Inbox", mbox(message(5)))
    write(tmp_path / "mail/Inbox.msf", "// an index")
    write(tmp_path / "mail/Inbox.sbd/Lists", mbox(message(6)))
    write(tmp_path / "mail/takeout.mbox", mbox(message(7)))
    write(tmp_path / "mail/empty.mbox", "")
    (tmp_path / "mail/loop").symlink_to(tmp_path / "mail")
    found = documents(opened(tmp_path / "mail"))
    assert {name.partition("@")[0]: document.metadata["folder"] for name, document in found.items()} == {
        "1": "box", "2": "box", "4": "box/.Sent", "5": "Inbox", "6": "Inbox.sbd/Lists", "7": "takeout"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda path: None, "cannot be listed: No such file"),
        (lambda path: write(path, "Dear Ada,\n"), "is no mbox file"),
        (lambda path: path.mkdir(mode=0o000), "cannot be listed: Permission denied"),
    ],
)
def test_what_cannot_be_listed_is_a_failed_scope(tmp_path: Path, make: object, cause: str) -> None:
    make(tmp_path / "x")  # type: ignore[operator]
    if os.geteuid() == 0 and "Permission" in cause:
        pytest.skip("root may read everything")
    failed = opened(tmp_path / "x").list().failed
    assert [scope.prefix for scope in failed] == ["m:"]
    assert cause in failed[0].reason


@pytest.mark.parametrize("name", ["a.mbox", "A.MBX", "mbox", "Inbox"])
def test_a_mailbox_of_a_folder_that_was_damaged_makes_the_listing_incomplete(tmp_path: Path, name: str) -> None:
    write(tmp_path / "other.mbox", mbox(message(1)))
    write(tmp_path / "notes.txt", "No mail.")
    if name == "Inbox":
        write(tmp_path / "Inbox.msf", "// an index")
    write(tmp_path / name, mbox(message(2)))
    assert len(names(opened(tmp_path))) == 2
    write(tmp_path / name, "\x01" * 900)
    listing = opened(tmp_path).list()
    assert len(listing.refs) == 1
    assert [scope.reason.startswith(f"{tmp_path / name} is no mbox file any more") for scope in listing.failed] == [
        True
    ]


def test_an_empty_mailbox_lists_nothing(tmp_path: Path) -> None:
    assert opened(write(tmp_path / "x.mbox", "")).list().failed == ()


HEADERS = [
    {"Date": "no date"}, {"Date": "Mon, 99 Foo 2024 99:99:99 +9999"}, {"From": "=?utf-8?q?=ff?= <"}, {"To": "," * 5000},
    {"From": "(" * 5000}, {"Subject": "=?" * 5000}, {"Message-ID": "<\udcfc@x>"}, {"To": "undisclosed-recipients:;"},
    {"From": "\udcfc@\udcfc"}, {"Date": "Mon, 01 Jan 0000 00:00:00 -2460"}, {"Date": ""}, {"From": ""},
]  # fmt: skip


@pytest.mark.parametrize("headers", HEADERS, ids=range(len(HEADERS)))
def test_a_bad_header_costs_no_message(tmp_path: Path, headers: dict[str, str]) -> None:
    (document,) = documents(opened(write(tmp_path / "x.mbox", mbox(message(1, **headers))))).values()
    assert "Hello." in document.text
    assert {"no", "99"}.isdisjoint(str(document.metadata.get("date", "")).split())


def test_attachments_are_read_or_listed_and_a_huge_message_is_set_aside(tmp_path: Path) -> None:
    parts = "".join(
        f'--b\nContent-Type: a/b\nContent-Disposition: attachment; filename="{name}"\n\nsome words\n'
        for name in ("plan.txt", "plan.zip")
    )
    body = f"--b\nContent-Type: text/plain\n\nSee the plan.\n{parts}--b--"
    kind = {"Content-Type": 'multipart/mixed; boundary="b"', "MIME-Version": "1.0"}
    source = opened(write(tmp_path / "x.mbox", mbox(message(1, body, **kind), message(2, "x" * 9000))), max_bytes=5000)
    first, second = source.list().refs
    document = source.read(first)
    rest = "See the plan.\n\n## Attachment: plan.txt\n\nsome words\n\nAttached, not read: plan.zip (10 bytes)\n"
    assert document.text.endswith(rest)
    assert document.remarks == ("not read: 1 attached (plan.zip)",)
    with pytest.raises(DocumentError, match="the limit is 5,000"):
        source.read(second)


def test_a_large_mailbox_is_never_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.mbox"
    with path.open("w") as file:
        file.writelines(mbox(message(number, "line of text\n" * 7000)) for number in range(400))
    assert path.stat().st_size > 35_000_000
    tracemalloc.start()
    try:
        listing = opened(path).list()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(listing.refs) == 400
    assert peak < 8_000_000
