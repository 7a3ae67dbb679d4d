"""`headrace init` writes a file that works at once, whatever the folder is called."""

from pathlib import Path

import pytest

from config.embedders import SentenceTransformersEmbedder
from config.errors import ConfigError
from config.read import read_pipeline
from config.stores import QdrantStore
from config.template import write_config


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("handbook", "handbook"),
        ("my docs (2024)", "my-docs-2024"),
        ("2024", "2024"),
        ("2024-01-31", "2024-01-31"),
        ("1e3", "1e3"),
        ("no", "no"),
        ("null", "null"),
        ("0x10", "0x10"),
        ("_private_", "private"),
        ("документы", "documents"),
        ("x" * 150, "x" * 100),
        ("a: b # c", "a-b-c"),
    ],
)
def test_the_name_of_any_folder_makes_a_valid_name(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    path = write_config(tmp_path / folder, tmp_path / folder / "headrace.yaml")
    pipeline = read_pipeline(path)
    assert (pipeline.name, pipeline.sources[0].name) == (name, name)
    assert Path(pipeline.sources[0].path).resolve() == tmp_path / folder


def test_it_is_a_local_model_and_an_embedded_store_beside_the_documents(tmp_path: Path) -> None:
    pipeline = read_pipeline(write_config(tmp_path, tmp_path / "headrace.yaml"))
    assert isinstance(pipeline.embedder, SentenceTransformersEmbedder)
    assert pipeline.embedder.model == "sentence-transformers/all-MiniLM-L6-v2"
    assert isinstance(pipeline.store, QdrantStore)
    assert pipeline.store.path == str(tmp_path / ".headrace" / "qdrant")
    assert pipeline.state == f"sqlite:///{tmp_path}/.headrace/{pipeline.name}.db"


@pytest.mark.parametrize("folder", ["docs", "my docs", "a: b # c", "${HOME}", "2024", "no"])
def test_the_file_may_lie_elsewhere_than_the_documents(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / "settings").mkdir()
    pipeline = read_pipeline(write_config(tmp_path / folder, tmp_path / "settings" / "pipeline.yaml"))
    assert Path(pipeline.sources[0].path).resolve() == tmp_path / folder


def test_the_file_explains_itself(tmp_path: Path) -> None:
    text = write_config(tmp_path, tmp_path / "mine.yaml").read_text()
    assert "headrace plan mine.yaml" in text
    assert "${OPENAI_API_KEY}" in text
    assert text.count("#") > 5


def test_an_existing_file_is_left_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "headrace.yaml"
    target.write_text("name: mine\n")
    with pytest.raises(ConfigError, match="exists already"):
        write_config(tmp_path, target)
    assert target.read_text() == "name: mine\n"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere is no folder; expected the folder whose documents"):
        write_config(tmp_path / "nowhere", tmp_path / "headrace.yaml")
    with pytest.raises(ConfigError, match=r"cannot be written: No such file or directory"):
        write_config(tmp_path, tmp_path / "nowhere" / "headrace.yaml")
