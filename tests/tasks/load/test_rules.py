"""Who may read a document, as files, columns and file systems say it; what is broken names nobody."""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.load.rules import Readers, RuleError, of_field, of_file, of_sidecar
from tasks.records import Scalar


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        ("alice\n", ("alice",)),
        ("# bosses\nalice  # the boss\n\n  group:a \nbob,carol\n", ("alice", "bob", "carol", "group:a")),
        ("readers: [alice, 'group:a b', 007, no]", ("007", "alice", "group:a b", "no")),
        ("readers:\n  - Zoë\n  - zoë\n", ("Zoë", "zoë")),
        ("- alice\n- CN=Sales,OU=Groups\n", ("CN=Sales,OU=Groups", "alice")),
        ('["alice", "everyone"]', ("alice", "everyone")),
        ("readers: alice, bob", ("alice", "bob")),
        ("---\nreaders: everyone\n", ("everyone",)),
        ("readers: []", ()),
        ("readers:", ()),
        ("", ()),
        ("\n# nobody yet\n", ()),
    ],
)
def test_a_file_lists_readers_in_every_usual_form(text: str, readers: Readers) -> None:
    assert of_sidecar(text) == readers


@pytest.mark.parametrize(
    "text",
    [
        "readers: [everyone",
        "reader: [everyone]",
        "readers: [everyone]\ndeny: [bob]",
        "readers: {users: [everyone]}",
        "- everyone\n- {group: a}",
        "- everyone\n- [everyone]",
        "users: everyone",
        "everyone\nuser: bob",
        "readers: ['']",
        "- 'a\\tb'\n- \"a\\tb\"",
        "- group:\n",
        "[" * 100 + "everyone" + "]" * 100,
        "- &a everyone\n- *b",
    ],
)
def test_a_broken_file_names_nobody_and_says_so(text: str) -> None:
    with pytest.raises(RuleError):
        of_sidecar(text)


@pytest.mark.parametrize("text", ["readers: [everyone]\nreaders: [alice]", "{readers: everyone, readers: everyone}"])
def test_of_two_rules_in_one_file_neither_holds(text: str) -> None:
    assert of_sidecar(text) == ()


@pytest.mark.parametrize(
    ("value", "readers"),
    [
        ("alice, bob", ("alice", "bob")),
        (["alice", "group:a"], ("alice", "group:a")),
        ('["alice", "group:a"]', ("alice", "group:a")),
        (1001, ("1001",)),
        ("", ()),
        ([], ()),
    ],
)
def test_a_column_lists_readers_as_a_list_or_as_text(value: Scalar | list[Scalar], readers: Readers) -> None:
    assert of_field(value) == readers


@pytest.mark.parametrize("value", [True, 1.5, ["everyone", False], '["everyone"', "{everyone}", "everyone, a: b"])
def test_a_column_with_something_else_names_nobody(value: Scalar | list[Scalar]) -> None:
    with pytest.raises(RuleError):
        of_field(value)


@pytest.fixture
def owned(tmp_path: Path) -> Callable[..., Readers]:
    """The readers of docs/sub/a.md, with these modes, in the words user, group and everyone."""
    file = tmp_path / "docs" / "sub" / "a.md"
    file.parent.mkdir(parents=True)
    file.write_text("text")
    words = {pwd.getpwuid(os.getuid()).pw_name: "user", f"group:{grp.getgrgid(file.stat().st_gid).gr_name}": "group"}

    def readers(mode: int, folder: int = 0o755, root: int = 0o755) -> Readers:
        file.chmod(mode)
        file.parent.chmod(folder)
        file.parent.parent.chmod(root)
        return tuple(sorted(words.get(name, name) for name in of_file(str(tmp_path / "docs"), "sub/a.md")))

    return readers


def test_the_mode_of_a_file_says_who_reads_it(owned: Callable[..., Readers]) -> None:
    assert owned(0o644) == ("everyone", "group", "user")
    assert owned(0o640) == ("group", "user")
    assert owned(0o600) == ("user",)
    assert owned(0o200) == ()
    assert owned(0o604) == ("everyone", "user")


def test_a_closed_folder_closes_what_is_in_it(owned: Callable[..., Readers]) -> None:
    assert owned(0o644, folder=0o750) == ("group", "user")
    assert owned(0o644, root=0o700) == ("user",)


def test_a_link_has_the_readers_of_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    (tmp_path / "closed" / "a.md").write_text("text")
    (tmp_path / "b.md").symlink_to(tmp_path / "closed" / "a.md")
    tmp_path.chmod(0o755)
    assert of_file(str(tmp_path), "b.md") == (pwd.getpwuid(os.getuid()).pw_name,)
