"""Who may read what, from the command line: rules beside documents, searches in somebody's name."""

import os
import time
from typing import Any

import numpy as np
import pytest

from tasks.load.labels import Labelled
from tasks.records import Document, DocumentRef, Points
from tests.conftest import Pipeline
from tests.openai_server import OpenAIServer

PAID = "{{kind: openai, model: text-embedding-3-small, dimensions: 8, base_url: '{url}', api_key: '${{OPENAI_KEY}}'}}"
ACL = "acl: {sidecar: ['{path}.acl', .acl.yaml], default: everyone}"


def configure(pipeline: Pipeline, settings: str) -> None:
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace("    path: ./docs\n", f"    path: ./docs\n    {settings}\n"))


def write(pipeline: Pipeline, name: str, text: str) -> None:
    """Long ago, and another time for another text: so no run has to read it for its time alone."""
    path = pipeline.write(name, text)
    at = time.time() - 3600 - hash(text) % 1000
    os.utime(path, (at, at))


def hits(pipeline: Pipeline, *options: str, query: str = "page") -> list[Any]:
    outcome = pipeline.run("search", str(pipeline.config), query, "--limit", "9", *options, "--json")
    assert outcome.code == 0, outcome.err
    found: list[Any] = outcome.json["hits"]
    return found


def names(pipeline: Pipeline, *options: str, query: str = "page") -> set[str]:
    """Of all documents that are shown, those that hold the same text as another one included."""
    shown = [place for hit in hits(pipeline, *options, query=query) for place in (hit, *hit.get("copies", ()))]
    return {place["document"].removeprefix("docs:") for place in shown}


@pytest.fixture
def closed(pipeline: Pipeline) -> Pipeline:
    """Everybody reads a.md; alice and group:x read b.md; nobody but group:sub reads sub/c.txt."""
    configure(pipeline, ACL)
    for name in ("a.md", "b.md", "sub/c.txt"):
        write(pipeline, name, (pipeline.folder / "docs" / name).read_text())
    write(pipeline, "b.md.acl", "alice\ngroup:x\n")
    write(pipeline, "sub/.acl.yaml", "readers: ['group:sub']")
    report = pipeline.sync()
    assert (report["code"], report["documents"]["added"]) == (0, 3)
    return pipeline


@pytest.mark.parametrize("mode", ["hybrid", "dense", "text"])
def test_a_search_shows_what_its_asker_may_read(closed: Pipeline, mode: str) -> None:
    def seen(*options: str) -> set[str]:
        return names(closed, *options, "--mode", mode)

    assert seen("--as", "alice") == {"a.md", "b.md"}
    assert seen("--as", "Alice") == {"a.md"}
    assert seen("--as", "zoe", "--groups", "x, sub") == {"a.md", "b.md", "sub/c.txt"}
    assert seen("--as", "x") == {"a.md"}
    assert seen("--as", "everyone") == {"a.md"}
    assert seen("--as-admin") == {"a.md", "b.md", "sub/c.txt"}


def test_the_limit_is_filled_with_what_may_be_read(closed: Pipeline) -> None:
    for number in range(30):
        write(closed, f"sub/{number}.md", f"page page page {number}\n")
    closed.sync()
    assert len(hits(closed, "--as", "zoe", "--groups", "sub")) == 9
    assert names(closed, "--as", "alice", "--per-document", "1") == {"a.md", "b.md"}


def test_neighbours_are_those_of_the_asker_too(closed: Pipeline) -> None:
    (hit,) = [one for one in hits(closed, "--as", "bob", "--context", "1") if "First" in one["text"]]
    assert "Run the thing" in hit["after"][0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "say --as USER"),
        (("--as", ""), "expected a user's name"),
        (("--as", "  "), "expected a user's name"),
        (("--as", "group:x"), "groups are named after --groups"),
        (("--groups", "x"), "say --as USER"),
        (("--as-admin", "--groups", "x"), "say --as USER"),
        (("--as", "alice", "--as-admin"), "does not go together with --as"),
    ],
)
def test_a_search_in_nobodys_name_is_refused(closed: Pipeline, options: tuple[str, ...], reason: str) -> None:
    outcome = closed.run("search", str(closed.config), "page", *options)
    assert outcome.code == 2
    assert reason in outcome.err
    assert "Second page" not in outcome.out + outcome.err


def test_nobody_asks_where_documents_have_no_readers(pipeline: Pipeline) -> None:
    pipeline.sync()
    outcome = pipeline.run("search", str(pipeline.config), "page", "--as", "alice")
    assert outcome.code == 2
    assert "leave out --as" in outcome.err


def test_what_was_written_before_there_were_rules_is_nobodys(pipeline: Pipeline) -> None:
    pipeline.sync()
    configure(pipeline, "acl: {readers: everyone}")
    assert names(pipeline, "--as", "alice") == set()
    report = pipeline.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["written"], report["chunks"]["removed"]) == (0, 4, 4)
    assert names(pipeline, "--as", "alice") == {"a.md", "b.md", "sub/c.txt"}


def test_a_changed_rule_reaches_its_documents_alone_and_embeds_nothing(closed: Pipeline) -> None:
    write(closed, "b.md.acl", "bob")
    report = closed.sync()
    assert (report["documents"]["changed"], report["documents"]["unchanged"]) == (1, 2)
    assert (report["chunks"]["embedded"], report["tokens"]["embedded"]) == (0, 0)
    assert (report["chunks"]["written"], report["chunks"]["removed"]) == (1, 1)
    assert (names(closed, "--as", "alice"), names(closed, "--as", "bob")) == ({"a.md"}, {"a.md", "b.md"})
    (closed.folder / "docs" / "b.md.acl").unlink()
    assert closed.sync()["chunks"]["embedded"] == 0
    assert names(closed, "--as", "zoe") == {"a.md", "b.md"}


def test_a_run_without_changes_reads_nothing(closed: Pipeline) -> None:
    report = closed.sync()
    assert (report["documents"]["unchanged"], report["chunks"]["written"]) == (3, 0)


def test_a_broken_rule_closes_its_document_and_is_told(closed: Pipeline) -> None:
    write(closed, "b.md.acl", "readers: [alice")
    report = closed.sync()
    assert report["code"] == 0
    assert names(closed, "--as", "alice") == {"a.md"}
    (told,) = closed.run("status", str(closed.config), "--json").json["partial"]
    assert told["document"] == "docs:b.md"
    assert "nobody may read it: b.md.acl holds" in told["remark"]


def test_the_same_text_is_paid_once_and_shown_only_where_it_may_be_read(closed: Pipeline) -> None:
    write(closed, "sub/copy.md", (closed.folder / "docs" / "a.md").read_text())
    report = closed.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["written"]) == (0, 2)
    assert names(closed, "--as", "alice", query="First page") == {"a.md", "b.md"}
    assert "sub/copy.md" in names(closed, "--as", "a", "--groups", "sub", query="First page")


def test_two_sources_have_rules_of_their_own_and_one_without_is_nobodys(pipeline: Pipeline) -> None:
    text = pipeline.config.read_text()
    first = "  - {kind: files, path: ./docs, name: one, include: [a.md], acl: {readers: [alice]}}\n"
    second = "  - {kind: files, path: ./docs, name: two, include: [a.md], acl: {readers: [bob]}}\n"
    third = "  - {kind: files, path: ./docs, name: three, include: [b.md]}\n"
    pipeline.config.write_text(text.replace("  - kind: files\n    path: ./docs\n", first + second + third))
    assert pipeline.sync()["code"] == 0
    assert {hit["document"] for hit in hits(pipeline, "--as", "alice")} == {"one:a.md"}
    assert {hit["document"] for hit in hits(pipeline, "--as", "bob")} == {"two:a.md"}
    assert {hit["document"] for hit in hits(pipeline, "--as", "zoe")} == set()


def test_other_readers_are_told_what_they_have_to_ask_for(closed: Pipeline) -> None:
    told = closed.run("where", str(closed.config), "--json").json["readers"]
    assert told == {"field": "metadata.readers", "any_of": ["everyone", "USER", "group:NAME"]}
    assert "must filter by metadata.readers" in closed.run("where", str(closed.config)).out


def test_metadata_is_changed_without_an_embedding(pipeline: Pipeline) -> None:
    pipeline.sync()
    configure(pipeline, "metadata: {team: platform, kind: '{folders[0]}', since: 2024-01-31, size: 3}")
    report = pipeline.sync()
    assert (report["chunks"]["embedded"], report["chunks"]["written"], report["chunks"]["removed"]) == (0, 4, 4)
    for one in ("team=platform", "size>=3", "since<2024-02-01"):
        assert names(pipeline, "--filter", one) == {"a.md", "b.md", "sub/c.txt"}
    assert names(pipeline, "--filter", "kind=sub") == {"sub/c.txt"}
    assert names(pipeline, "--filter", "size>3") == set()
    again = pipeline.sync()
    assert (again["documents"]["unchanged"], again["chunks"]["written"]) == (3, 0)


def test_a_tenant_from_the_path_is_filtered_by(pipeline: Pipeline) -> None:
    configure(pipeline, "metadata: {tenant: 'tenant-{folders[0]}'}")
    pipeline.write("7/a.md", "---\ntenant: tenant-8\n---\nA page of seven.\n")
    pipeline.write("8/a.md", "A page of eight.\n")
    pipeline.sync()
    assert names(pipeline, "--filter", "tenant=tenant-7") == {"7/a.md"}
    assert names(pipeline, "--filter", "tenant=tenant-8") == {"8/a.md"}


def test_a_stricter_rule_reaches_what_cannot_be_read_any_more(closed: Pipeline) -> None:
    (closed.folder / "docs" / "b.md").write_bytes(b"\0\x01\x02\xff" * 50)
    write(closed, "b.md.acl", "bob")
    report = closed.sync()
    assert (report["code"], report["documents"]["quarantined"]) == (1, 1)
    assert (names(closed, "--as", "alice"), names(closed, "--as", "bob")) == ({"a.md"}, {"a.md", "b.md"})
    (held,) = closed.run("status", str(closed.config), "--json").json["quarantine"]
    assert held["document"] == "docs:b.md"
    write(closed, "b.md", "# Beta\n\nSecond page.\n")
    assert closed.sync()["chunks"]["embedded"] == 0
    assert closed.sync()["documents"]["unchanged"] == 3
    assert names(closed, "--as", "bob") == {"a.md", "b.md"}


def test_a_stricter_rule_reaches_what_is_withheld(closed: Pipeline) -> None:
    text = closed.config.read_text()
    closed.config.write_text(f"{text}deletions: {{max_count: 0, max_fraction: 0}}\n")
    write(closed, "b.md", "")
    write(closed, "b.md.acl", "bob")
    report = closed.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, 1)
    assert (names(closed, "--as", "alice"), names(closed, "--as", "bob")) == ({"a.md"}, {"a.md", "b.md"})


def test_a_stricter_rule_holds_although_the_money_ends(closed: Pipeline, openai_server: OpenAIServer) -> None:
    text = closed.config.read_text().replace("{kind: hashing, dimensions: 64}", PAID.format(url=openai_server.url))
    closed.config.write_text(text.replace("path: ./db", "path: ./db2").replace("trial.db", "paid.db"))
    assert closed.sync()["code"] == 0
    assert names(closed, "--as", "alice", "--mode", "text") == {"a.md", "b.md"}
    write(closed, "a.md", "Other words altogether, and many of them. " * 50)
    write(closed, "b.md.acl", "bob")
    report = closed.sync("--max-usd", "0")
    assert report["code"] == 4
    assert names(closed, "--as", "alice", "--mode", "text") == {"a.md"}
    assert names(closed, "--as", "bob", "--mode", "text") == {"a.md", "b.md"}


def test_a_group_is_named_without_its_mark(pipeline: Pipeline) -> None:
    outcome = pipeline.run("search", str(pipeline.config), "x", "--as", "alice", "--groups", "hr,group:it")
    assert (outcome.code, "expected a group's name alone, 'it'" in outcome.err) == (2, True)


def test_new_rules_reach_their_documents_without_a_look_at_them(
    closed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    inner = Labelled.read

    def noted(source: Labelled, ref: DocumentRef, /) -> Document:
        read.append(ref.path)
        return inner(source, ref)

    monkeypatch.setattr(Labelled, "read", noted)
    write(closed, "b.md.acl", "bob")
    write(closed, ".acl.yaml", "- alice")
    plan, report = closed.plan(), closed.sync()
    assert (report["code"], read, report["tokens"]["embedded"]) == (0, [], 0)
    assert (report["documents"]["changed"], report["documents"]["unchanged"]) == (2, 1)
    assert (plan["documents"], plan["chunks"]) == (report["documents"], report["chunks"])
    assert names(closed, "--as", "alice") == {"a.md"}
    assert names(closed, "--as", "bob") == {"b.md"}
    write(closed, "b.md.acl", "readers: [bob")
    remark = closed.sync()["names"]["partial"][0]["remark"]
    assert (read, remark.startswith("nobody may read it: b.md.acl holds")) == ([], True)
    write(closed, "b.md.acl", "readers: [bob]")
    assert (closed.sync()["documents"]["partial"], read) == (0, [])
    write(closed, "b.md.acl", "- bob")
    assert (closed.sync()["documents"]["unchanged"], read) == (3, [])  # other words for the same rule
    for path in (closed.folder / "docs").rglob("*.*"):
        os.utime(path, (1, 1))
    report = closed.sync()
    assert (report["documents"]["unchanged"], report["chunks"]["written"]) == (3, 0)  # as if they had been read
    (closed.folder / "docs/b.md").rename(closed.folder / "docs/c.md")
    (closed.folder / "docs/b.md.acl").rename(closed.folder / "docs/c.md.acl")
    assert closed.sync()["documents"]["moved"] == 1


def test_a_document_whose_records_are_not_as_they_should_be_is_read_for_its_new_rule(closed: Pipeline) -> None:
    from tasks.upsert.qdrant_embedded.store import QdrantStore

    store = QdrantStore(str(closed.folder / "db"), "trial")
    lost = [point for point, payload in store.scan() if payload["metadata"]["document"] == "a.md"][:1]
    store.delete(lost)
    store.upsert(Points(lost, np.eye(1, 64, dtype=np.float32), [{"text": "stale"}]))  # as many as before
    store.close()
    write(closed, ".acl.yaml", "- alice")
    report = closed.sync()
    assert (report["code"], report["documents"]["changed"]) == (0, 1)
    texts = [hit["text"] for hit in hits(closed, "--as", "alice", query="page")]
    assert any("First page" in text for text in texts)
    assert any("Run the thing" in text for text in texts)
