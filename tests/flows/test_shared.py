"""A collection that several pipelines share on purpose: each sees, verifies and deletes its own records alone."""

import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from config.read import read_pipeline
from tasks.records import Payload, PointId
from tasks.upsert.open import open_store
from tasks.upsert.shared import SharedStore
from tests.conftest import Pipeline
from tests.pinecone_server import KEY

STORES = {
    "qdrant": "{kind: qdrant, path: $FOLDER/db",
    "qdrant server": "{kind: qdrant, url: '${SERVER}'",
    "pinecone": "{kind: pinecone, index: shared, api_key: '${KEY}', host: '${SERVER}'",
}
Pair = tuple[Pipeline, Pipeline]


@pytest.fixture
def made(
    pipeline: Pipeline, store_address: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Pair]:
    """Two pipelines, `trial` and `blog`, with documents of the same names, in one collection of a kind."""

    def pair(kind: str, extra: str = ", shared: true") -> Pair:
        monkeypatch.setenv("SERVER", store_address(kind) if "SERVER" in STORES[kind] else "")
        monkeypatch.setenv("KEY", KEY)
        settings = STORES[kind].replace("$FOLDER", str(pipeline.folder))
        store = f"{settings}, collection: c{uuid.uuid4().hex[:8]}{extra}}}"
        text = pipeline.config.read_text().replace("{kind: qdrant, path: ./db}", store)
        pipeline.config.write_text(text)
        folder = pipeline.folder / "blog"
        blog = Pipeline(folder, folder / "blog.yaml", pipeline.run)
        blog.write("a.md", "# Alpha\n\nFirst page.\n\nOf the blog.\n")
        blog.write("news.md", "# News\n\nSecond page.\n")
        blog.config.write_text(text.replace("name: trial", "name: blog"))
        return pipeline, blog

    return pair


@contextmanager
def opened(pipeline: Pipeline) -> Generator[Any]:
    settings = read_pipeline(pipeline.config)
    store = open_store(settings.store, settings.name)
    try:
        yield store
    finally:
        store.close()


def records(pipeline: Pipeline) -> dict[PointId, Payload]:
    with opened(pipeline) as store:
        return dict(store.scan())


def found(pipeline: Pipeline) -> set[str]:
    hits = pipeline.run("search", str(pipeline.config), "First page.", "--json", "--limit", "50").json["hits"]
    return {hit["text"] for hit in hits}


def verified(pipeline: Pipeline) -> tuple[int, bool, int, int]:
    answer = pipeline.run("verify", str(pipeline.config), "--json")
    return answer.code, answer.json["ok"], answer.json["records"], answer.json["foreign"]


@pytest.mark.parametrize("kind", STORES)
def test_pipelines_that_share_a_collection_see_their_own_records_alone(kind: str, made: Callable[..., Pair]) -> None:
    trial, blog = made(kind)
    assert trial.sync()["code"] == 0
    joined = blog.sync()
    assert (joined["code"], joined["notes"], joined["documents"]["added"]) == (0, [], 2)
    theirs = records(trial)
    assert found(trial) == {payload["text"] for payload in theirs.values()}
    assert found(blog) == {payload["text"] for payload in records(blog).values()}
    assert found(trial) & found(blog) != found(trial) | found(blog)
    (blog.folder / "docs" / "a.md").unlink()
    assert (report := blog.sync())["code"] == 0
    assert report["documents"]["deleted"] == 1
    assert records(trial) == theirs
    assert {payload["metadata"]["document"] for payload in records(blog).values()} == {"news.md"}
    for pipeline, many in ((trial, len(theirs)), (blog, 1)):
        again = pipeline.sync()
        assert (again["code"], again["notes"], again["chunks"]["written"]) == (0, [], 0)
        assert verified(pipeline) == (0, True, many, 0)


@pytest.mark.parametrize("kind", ["qdrant", "qdrant server"])
def test_what_one_of_them_loses_is_noticed_and_mended_by_itself(kind: str, made: Callable[..., Pair]) -> None:
    trial, blog = made(kind)
    trial.sync()
    blog.sync()
    theirs, lost = records(blog), sorted(records(trial))[:2]
    with opened(trial) as store:
        store.delete(lost)
    assert blog.sync()["notes"] == []
    mended = trial.sync()
    assert (mended["code"], mended["tokens"]["embedded"], mended["chunks"]["written"]) == (0, 0, 2)
    assert "has lost 2 records" in mended["notes"][0]
    assert records(blog) == theirs


def test_a_lost_ledger_of_one_is_rebuilt_and_the_other_is_left_alone(made: Callable[..., Pair]) -> None:
    trial, blog = made("qdrant")
    trial.sync()
    blog.sync()
    theirs = records(trial)
    (blog.folder / "state" / "trial.db").unlink()
    rebuilt = blog.sync()
    assert (rebuilt["code"], rebuilt["tokens"]["embedded"]) == (0, 0)
    assert "2 unknown ones were adopted" in rebuilt["notes"][0]
    assert records(trial) == theirs


def test_two_of_one_name_do_not_share(made: Callable[..., Pair]) -> None:
    trial, blog = made("qdrant")
    trial.sync()
    before = records(trial)
    blog.config.write_text(blog.config.read_text().replace("name: blog", "name: trial"))
    refused = blog.run("sync", str(blog.config))
    assert (refused.code, str(trial.config) in refused.err) == (5, True)
    assert records(trial) == before


def test_another_vector_space_is_refused_even_before_the_first_record(
    made: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, blog = made("qdrant")
    for page in ("a.md", "b.md", "sub/c.txt"):
        (trial.folder / "docs" / page).unlink()
    trial.sync()
    monkeypatch.setattr("tasks.embed.hashing.HashingEmbedder.model", "other words")
    for command in ("plan", "sync"):
        refused = blog.run(command, str(blog.config))
        assert (refused.code, "another vector space" in refused.err) == (5, True)
    assert records(blog) == {}


def test_a_collection_is_shared_by_all_or_by_none(made: Callable[..., Pair]) -> None:
    trial, blog = made("qdrant")
    trial.sync()
    shared = blog.config.read_text()
    blog.config.write_text(shared.replace(", shared: true", ""))
    for options in ((), ("--take-over",)):
        refused = blog.run("sync", str(blog.config), *options)
        assert (refused.code, "`shared: true`" in refused.err) == (5, True)
    assert len(records(trial)) == 4


def test_a_collection_of_one_can_be_shared_later(made: Callable[..., Pair]) -> None:
    trial, blog = made("qdrant", extra="")
    trial.sync()
    before = set(records(trial))
    shared = [one.config.read_text().replace("}\nstate", ", shared: true}\nstate") for one in (trial, blog)]
    blog.config.write_text(shared[1])
    refused = blog.run("sync", str(blog.config))
    assert (refused.code, str(trial.config) in refused.err) == (5, True)
    trial.config.write_text(shared[0])
    opened_up = trial.sync()
    assert (opened_up["code"], opened_up["tokens"]["embedded"], set(records(trial))) == (0, 0, before)
    assert blog.sync()["code"] == 0
    assert [verified(one)[:2] for one in (trial, blog)] == [(0, True)] * 2


def test_a_shared_collection_is_named(pipeline: Pipeline) -> None:
    pipeline.config.write_text(pipeline.config.read_text().replace("path: ./db", "path: ./db, shared: true"))
    refused = pipeline.run("plan", str(pipeline.config))
    assert (refused.code, "`collection`" in refused.err) == (2, True)


def test_a_store_that_is_not_shared_is_not_wrapped(pipeline: Pipeline) -> None:
    settings = read_pipeline(pipeline.config)
    assert not isinstance(open_store(settings.store, settings.name), SharedStore)
