"""What an earlier version, or a copy, left readable for others is taken back; what is the user's own stays as it is."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tasks.database.database import Database
from tasks.dedupe.cache import CACHE
from tests.conftest import Pipeline


@pytest.fixture(autouse=True)
def common_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777


def open_to_others(*paths: Path) -> None:
    """As the common umask makes them."""
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)


def opened(path: Path) -> None:
    Database(f"sqlite:///{path}", CACHE, "any").close()


def test_the_files_of_a_database_are_mended_and_the_folder_that_somebody_chose_is_not(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    opened(path)
    with closing(sqlite3.connect(path)) as reader:  # the log is there as long as somebody reads
        reader.execute("SELECT count(*) FROM embedding").fetchall()
        files = [path, *(path.with_name(f"any.db{suffix}") for suffix in ("-wal", "-shm"))]
        open_to_others(tmp_path, *files)
        opened(path)
        assert {file.name: rights(file) for file in files} == {file.name: 0o600 for file in files}
    assert rights(tmp_path) == 0o755


@pytest.mark.parametrize("name", [".headrace", "user-state/headrace"])
def test_a_folder_of_our_own_is_mended(name: str, tmp_path: Path) -> None:
    path = tmp_path / name / "any.db"
    opened(path)
    open_to_others(path.parent, path.parent.parent)
    opened(path)
    assert (rights(path.parent), rights(path.parent.parent)) == (0o700, 0o755)


def test_a_folder_that_is_ours_by_name_alone_is_not_followed_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / ".headrace").symlink_to(elsewhere)
    opened(tmp_path / ".headrace" / "any.db")
    open_to_others(elsewhere, elsewhere / "any.db")
    opened(tmp_path / ".headrace" / "any.db")
    assert (rights(elsewhere), rights(elsewhere / "any.db")) == (0o755, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    opened(path)
    open_to_others(path)
    os.chown(path, 12345, 12345)
    opened(path)
    assert rights(path) == 0o644


def test_a_synced_pipeline_is_mended_by_the_next_sync_and_a_collection_by_a_search(pipeline: Pipeline) -> None:
    pipeline.sync()
    state, store = pipeline.folder / "state", pipeline.folder / "db" / "trial"
    files = [path for folder in (state, store) for path in folder.rglob("*")]
    for command in (("sync",), ("search", "page")):
        open_to_others(state, pipeline.folder / "db", store, *files)
        assert pipeline.run(command[0], str(pipeline.config), *command[1:]).code == 0
        ours = [path for path in (store, *store.rglob("*"), *state.glob("*.db")) if rights(path) & 0o077]
        assert ours == []
        assert {rights(state), rights(pipeline.folder / "db"), rights(pipeline.folder / "docs")} == {0o755}


def test_a_folder_of_the_users_that_is_named_like_a_collection_keeps_its_rights(pipeline: Pipeline) -> None:
    own = pipeline.write("trial/notes.txt", "somebody's own")
    text = pipeline.config.read_text().replace("path: ./db", "path: ./docs")
    pipeline.config.write_text(text)
    open_to_others(own, own.parent)
    assert pipeline.run("sync", str(pipeline.config)).code == 5
    pipeline.run("search", str(pipeline.config), "page")
    assert (rights(own), rights(own.parent)) == (0o644, 0o755)
