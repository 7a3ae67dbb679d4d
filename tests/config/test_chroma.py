"""Where a Chroma database is."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.stores import ChromaStore


def test_a_database_is_a_folder_beside_the_configuration_where_nothing_else_is_said(tmp_path: Path) -> None:
    store = ChromaStore.model_validate({"kind": "chroma"}, context={"folder": tmp_path})
    assert (store.path, store.url) == (str(tmp_path / ".headrace/chroma"), None)


def test_a_server_has_a_tenant_and_a_database() -> None:
    store = ChromaStore.model_validate({"kind": "chroma", "url": "http://chroma:8000", "token": "a token"})
    assert (store.tenant, store.database) == ("default_tenant", "default_database")
    assert "a token" not in repr(store)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"path": "db", "url": "http://chroma:8000"}, "expected one of them"),
        ({"token": "a token"}, "set its url"),
        ({"path": "db", "database": "docs"}, "set its url"),
        ({"url": "chroma:8000"}, "no web address"),
        ({"url": "http://chroma:8000", "tenant": ""}, "at least 1 character"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(fields: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ChromaStore.model_validate({"kind": "chroma", **fields})
