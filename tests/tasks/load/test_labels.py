"""Labels of a source on its documents: metadata from settings, paths and front matter, and who may read them."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.labels import RESERVED
from config.sources import FilesSource
from tasks.dedupe import identity
from tasks.load.labels import Labelled
from tasks.load.open import open_source
from tasks.records import Document

PAGE = """\
---
title: The page
year: 2024
price: 4.50
code: "0042"
number: "7"
draft: false
date: 2024-01-31
tags: [a, 2, true]
deep: {a: 1}
nothing:
source: wiki
odd name: x
---
# Page

Text.
"""


def write(folder: Path, name: str, text: str, age: float = 60.0) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))


def labelled(folder: Path, has_readers: bool = True, **settings: Any) -> Labelled:
    config = FilesSource.model_validate({"path": str(folder), "name": "s", **settings})
    return Labelled(open_source(config), config, has_readers=has_readers)


def documents(source: Labelled) -> dict[str, Document]:
    return {ref.path: source.read(ref) for ref in source.list().refs}


def readers(source: Labelled) -> dict[str, Any]:
    return {path: document.metadata["readers"] for path, document in documents(source).items()}


def hints(source: Labelled) -> dict[str, str]:
    return {ref.path: ref.hint for ref in source.list().refs}


def test_front_matter_becomes_typed_metadata(tmp_path: Path) -> None:
    write(tmp_path, "a.md", PAGE)
    metadata = documents(labelled(tmp_path, has_readers=False))["a.md"].metadata
    assert metadata == {
        "title": "The page",
        "year": 2024,
        "price": "4.50",  # as a number it would lose its nought
        "code": "0042",
        "number": "7",
        "draft": False,
        "date": "2024-01-31",
        "tags": ["a", 2, True],
        "deep": [],
        "nothing": [],
        "source_": "wiki",
        "odd_name": "x",
    }
    assert [type(metadata[name]) for name in ("year", "number", "draft")] == [int, str, bool]


@pytest.mark.parametrize(
    ("front", "fields"),
    [
        ('+++\nyear = 2024\nat = 2024-01-31T10:00:00Z\nshare = 0.5\n[deep]\na = 1\n+++\n',
         {"year": 2024, "at": "2024-01-31T10:00:00+00:00", "share": 0.5, "deep": []}),
        ('{"year": 2024, "share": 0.50, "tags": ["a"], "none": null}\n',
         {"year": 2024, "share": "0.50", "tags": ["a"], "none": []}),
        ("---\nyear: 2024\nsubject: a: b\n---\n", {"year": 2024, "subject": "a: b"}),
        ("---\nyear: 2024\nyear: 2025\n---\n", {"year": []}),
        ("---\nbig: 123456789012345678901234567890\n---\n", {"big": "123456789012345678901234567890"}),
    ],
)  # fmt: skip
def test_every_form_of_front_matter_is_metadata(tmp_path: Path, front: str, fields: dict[str, object]) -> None:
    write(tmp_path, "a.md", f"{front}Text.\n")
    assert documents(labelled(tmp_path, has_readers=False))["a.md"].metadata == fields


def test_settings_win_over_what_a_document_says_of_itself(tmp_path: Path) -> None:
    write(tmp_path, "platform/a.md", "---\nteam: sales\nyear: 2024\n---\nText.\n")
    write(tmp_path, "b.md", "---\nkind: spoofed\n---\nText.\n")
    labels = {"team": "platform", "kind": "{folders[0]}", "id": "{source}-{stem}", "n": [1, "{name}", "{folders[3]}"]}
    found = documents(labelled(tmp_path, has_readers=False, metadata=labels))
    assert found["platform/a.md"].metadata == {
        "year": 2024, "team": "platform", "kind": "platform", "id": "s-a", "n": [1, "a.md"]
    }  # fmt: skip
    assert found["b.md"].metadata == {"team": "platform", "id": "s-b", "n": [1, "b.md"]}


def test_a_list_names_the_only_fields_that_are_taken(tmp_path: Path) -> None:
    write(tmp_path, "a.md", PAGE)
    found = documents(labelled(tmp_path, has_readers=False, metadata=["year"]))
    assert found["a.md"].metadata == {"title": "The page", "year": 2024}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{folders[0]}/{folders[-1]}", "2024/ü"),
        ("{folders[0]}", 2024),
        ("{path}", "2024/ü/a.b.md"),
        ("{folder}", "2024/ü"),
        ("{name} {stem} {suffix}", "a.b.md a.b .md"),
        ("{{{stem}}}", "{a.b}"),
        ("{metadata[year]}", 2024),
        ("in {metadata[year]}", "in 2024"),
        ("{metadata[tags]}", ["a", 2, True]),
    ],
)
def test_a_template_is_filled_with_parts_of_the_path(tmp_path: Path, template: str, value: object) -> None:
    write(tmp_path, "2024/ü/a.b.md", PAGE)
    found = documents(labelled(tmp_path, has_readers=False, metadata={"label": template}))
    assert found["2024/ü/a.b.md"].metadata["label"] == value


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"metadata": {"page": 1}}, "`page` is what a record says of itself"),
        ({"metadata": {"title": "x"}}, "`title`"),
        ({"metadata": {"readers": ["x"]}}, "say it under `acl`"),
        ({"metadata": {"a": "{foldr}"}}, "expected one of {path}"),
        ({"metadata": {"a": "{path.__class__}"}}, "expected one of {path}"),
        ({"metadata": {"a": {"b": 1}}}, "expected text, a number"),
        ({"metadata": {"a b": 1}}, "should match pattern"),
        ({"acl": None}, "it is empty"),
        ({"acl": {"readers": ["a"], "default": ["b"]}}, "mean the same"),
        ({"acl": {"readers": ["group:"]}}, "expected a user's name"),
        ({"acl": {"readers": ["{team}"]}}, "expected one of {path}"),
        ({"acl": {"sidecar": "../{path}.acl"}}, "below the source"),
        ({"acl": {"owner": "posix"}, "path": "s3://bucket"}, "files on this machine"),
        ({"acl": {"owner": "s3"}, "path": "gs://bucket"}, "files on this machine"),
        ({"acl": {"owner": "s3"}}, "buckets (s3://)"),
        ({"acl": {"reader": ["a"]}}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FilesSource.model_validate({"path": "docs", "name": "s", **settings})
    assert reason in str(caught.value)


def test_the_names_that_every_record_has_are_reserved() -> None:
    assert identity._PLACES <= RESERVED


def test_labels_change_no_hint_where_there_are_none(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "Text.\n")
    config = FilesSource(path=str(tmp_path), name="s")
    assert Labelled(open_source(config), config).list() == open_source(config).list()


def test_other_settings_change_the_hints(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "Text.\n")
    settings: list[dict[str, Any]] = [
        {}, {"metadata": {"a": 1}}, {"metadata": {"a": "1"}}, {"acl": {"readers": ["a"]}}, {"acl": {"readers": ["b"]}},
    ]  # fmt: skip
    found = [hints(labelled(tmp_path, "acl" in one, **one))["a.md"] for one in settings]
    assert len({*found}) == len(settings)


SIDECARS = {"sidecar": ["{path}.acl", ".acl.yaml"], "default": ["everyone"]}


def test_the_nearest_file_with_rules_decides(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "sub/c.md", "sub/d.md", "sub/deep/e.md", "other/f.md"):
        write(tmp_path, name, "Text.\n")
    write(tmp_path, "b.md.acl", "bob")
    write(tmp_path, "sub/.acl.yaml", "readers: [group:sub]")
    write(tmp_path, "sub/d.md.ACL", "dora")
    assert readers(labelled(tmp_path, acl=SIDECARS)) == {
        "a.md": ["everyone"],
        "b.md": ["bob"],
        "other/f.md": ["everyone"],
        "sub/c.md": ["group:sub"],
        "sub/d.md": ["dora"],
        "sub/deep/e.md": ["group:sub"],
    }


def test_files_with_rules_are_no_documents(tmp_path: Path) -> None:
    for name in ("a.md", "a.md.acl", "sub/.acl.yaml", "x.bin"):
        write(tmp_path, name, "alice")
    listing = labelled(tmp_path, acl=SIDECARS).list()
    assert [ref.path for ref in listing.refs] == ["a.md"]
    assert dict(listing.passed_over) == {".bin": 1}


@pytest.mark.parametrize("pattern", [".rights/{path}.txt", "{folder}/.rights/{name}.txt", "{folder}/{stem}.readers"])
def test_files_with_rules_may_lie_elsewhere(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, "sub/a.md", "Text.\n")
    write(tmp_path, "b.md", "Text.\n")
    for place in (".rights/sub/a.md.txt", "sub/.rights/a.md.txt", "sub/a.readers"):
        write(tmp_path, place, "alice")
    assert readers(labelled(tmp_path, acl={"sidecar": pattern}, include=["**/*.md"])) == {
        "b.md": [], "sub/a.md": ["alice"]
    }  # fmt: skip


def test_a_changed_rule_changes_the_hints_of_its_documents_alone(tmp_path: Path) -> None:
    for name in ("a.md", "sub/b.md", "sub/c.md"):
        write(tmp_path, name, "Text.\n")
    write(tmp_path, "sub/.acl.yaml", "alice")
    source = labelled(tmp_path, acl=SIDECARS)
    before = hints(source)
    assert all(before.values())
    write(tmp_path, "sub/.acl.yaml", "bobby", age=30)
    after = hints(source)
    assert [name for name in before if before[name] != after[name]] == ["sub/b.md", "sub/c.md"]
    write(tmp_path, "sub/b.md.acl", "carol")
    assert [name for name, hint in hints(source).items() if hint != after[name]] == ["sub/b.md"]
    (tmp_path / "sub" / "b.md.acl").unlink()
    assert hints(source) == after
    write(tmp_path, "sub/.acl.yaml", "alice", age=0)  # it may change again within the same time stamp
    assert [name for name, hint in hints(source).items() if not hint] == ["sub/b.md", "sub/c.md"]


def test_a_broken_rule_makes_a_document_nobodys_and_is_told(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.md"):
        write(tmp_path, name, "Text.\n")
    write(tmp_path, "a.md.acl", "readers: [everyone")
    (tmp_path / "b.md.acl").write_bytes(b"\0\x01\x02\xff" * 50)
    found = documents(labelled(tmp_path, acl=SIDECARS))
    assert {path: one.metadata["readers"] for path, one in found.items()} == {
        "a.md": [], "b.md": [], "c.md": ["everyone"]
    }  # fmt: skip
    assert "nobody may read it: a.md.acl holds" in found["a.md"].remarks[0]
    assert "nobody may read it: b.md.acl holds" in found["b.md"].remarks[0]


def test_a_rule_that_goes_away_after_the_listing_makes_a_document_nobodys(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "Text.\n")
    write(tmp_path, "a.md.acl", "alice")
    source = labelled(tmp_path, acl=SIDECARS)
    (ref,) = source.list().refs
    (tmp_path / "a.md.acl").unlink()
    assert source.read(ref).metadata["readers"] == []


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ("readers: [alice, 'group:a']", ["alice", "group:a"]),
        ("Readers: alice, bob", ["alice", "bob"]),
        ("readers: 7", ["7"]),
        ("readers:", []),
        ("readers: ''", []),
        ("readers: {users: [alice]}", []),
        ("readers: [alice, [bob]]", ["alice"]),
        ("readers: true", []),
        ("readers: [everyone", []),
        ("readers: everyone\nreaders: alice", []),
        ("x: a: b\nreaders: everyone\nreaders: alice", []),
        ("x: a: b\nreaders: [alice]", ["alice"]),
        ("- x\nreaders: [alice]", ["alice"]),
        ("{x\nreaders: [alice]", []),
        ("other: x", ["everyone"]),
        (f"readers: '{'a' * 2000}'", []),
    ],
)
def test_front_matter_says_who_reads_and_what_is_broken_opens_nothing(
    tmp_path: Path, front: str, expected: list[str]
) -> None:
    write(tmp_path, "a.md", f"---\n{front}\n---\nText.\n")
    assert readers(labelled(tmp_path, acl={"field": "readers", "default": "everyone"})) == {"a.md": expected}


def test_a_document_without_a_rule_is_nobodys(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "---\nreaders: [everyone]\n---\nText.\n")
    acls: list[Any] = [{}, {"field": "other"}, {"sidecar": ".acl"}, {"readers": []}, {"readers": "{folders[0]}"}]
    for acl in acls:
        assert readers(labelled(tmp_path, acl=acl)) == {"a.md": []}
    found = documents(labelled(tmp_path))["a.md"].metadata  # another source of the pipeline has `acl`
    assert (found["readers"], found["readers_"]) == ([], ["everyone"])


def test_readers_come_from_templates(tmp_path: Path) -> None:
    write(tmp_path, "hr/a.md", "---\nowner: alice\n---\nText.\n")
    write(tmp_path, "b.md", "Text.\n")
    source = labelled(tmp_path, acl={"readers": ["group:{folders[0]}", "{metadata[owner]}"]})
    assert readers(source) == {"hr/a.md": ["alice", "group:hr"], "b.md": []}


def test_the_mode_of_a_file_is_in_its_hint(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write(tmp_path, "a.md", "Text.\n")
    source = labelled(tmp_path, acl={"owner": "posix"})
    (tmp_path / "a.md").chmod(0o644)
    before = hints(source)
    assert "everyone" in readers(source)["a.md"]
    (tmp_path / "a.md").chmod(0o600)
    assert hints(source) != before
    assert "everyone" not in readers(source)["a.md"]


def test_where_rules_cannot_be_listed_documents_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.md", "Text.\n")
    write(tmp_path, "sub/b.md", "Text.\n")
    source = labelled(tmp_path, acl=SIDECARS)
    sidecars = source._sidecars
    assert sidecars is not None
    rules = sidecars._source
    scandir = os.scandir

    def fail(path: Any) -> Any:
        if str(path).endswith("sub") and asked:
            raise PermissionError(13, "not now")
        return scandir(path)

    asked: list[bool] = []
    listing = rules.list

    def listed() -> Any:
        asked.append(True)
        return listing()

    monkeypatch.setattr(os, "scandir", fail)
    monkeypatch.setattr(rules, "list", listed)
    answer = source.list()
    assert [ref.path for ref in answer.refs] == ["a.md"]
    assert [scope.prefix for scope in answer.failed] == ["s:sub/"]
