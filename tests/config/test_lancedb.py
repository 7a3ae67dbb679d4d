"""Where a table of LanceDB may be."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.stores import LanceStore


def test_a_folder_lies_beside_the_file_and_a_bucket_where_it_says(tmp_path: Path) -> None:
    for path, expected in {"./db": str(tmp_path / "db"), "s3://bucket/db": "s3://bucket/db"}.items():
        given = {"kind": "lancedb", "path": path}
        assert LanceStore.model_validate(given, context={"folder": tmp_path}).path == expected
    store = LanceStore.model_validate({"kind": "lancedb"}, context={"folder": tmp_path})
    assert store.path == str(tmp_path / ".headrace/lancedb")


@pytest.mark.parametrize("path", ["db://cloud", "https://host/db", "memory://", "S3://bucket"])
def test_any_other_address_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match=r"begins with s3://, gs:// or az://"):
        LanceStore.model_validate({"kind": "lancedb", "path": path})
