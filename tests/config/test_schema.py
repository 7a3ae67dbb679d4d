"""The JSON Schema that editors complete from agrees with what is read."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BeforeValidator, Field

from config.errors import ConfigError
from config.pipeline import Pipeline
from config.read import json_schema, read_pipeline
from config.source_sections import SourceSection
from config.sources import FilesSource, with_kind
from config.template import write_config

SMALL = "name: a\nsources: [{path: docs}]\nembedder: {kind: hashing}\nstore: {kind: memory}\n"
EXAMPLES = sorted((Path(__file__).parents[2] / "config" / "examples").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    shape = json_schema()
    Draft202012Validator.check_schema(shape)
    return Draft202012Validator(shape)


def described(shape: dict[str, Any]) -> list[tuple[str, str]]:
    sections = [shape, *shape["$defs"].values()]
    return [
        (name, field.get("description", "")) for section in sections for name, field in section["properties"].items()
    ]


def test_it_says_what_it_is() -> None:
    shape = json_schema()
    assert shape["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert shape["title"] == "Headrace pipeline"
    assert shape["required"] == ["name", "sources", "embedder", "store"]
    assert shape["additionalProperties"] is False


def test_every_setting_has_a_description() -> None:
    settings = described(json_schema())
    assert len(settings) > 30
    assert [name for name, text in settings if not text] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid_to_an_editor_too(example: Path, validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(yaml.safe_load(example.read_text()))] == []


def test_what_init_writes_is_valid_to_an_editor_too(tmp_path: Path, validator: Draft202012Validator) -> None:
    written = yaml.safe_load(write_config(tmp_path, tmp_path / "headrace.yaml").read_text())
    assert [error.message for error in validator.iter_errors(written)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: a", "name: a b"),
        ("name: a", "nam: a"),
        ("[{path: docs}]", "[]"),
        ("hashing", "nothing"),
        ("hashing", "hashing, model: x"),
        ("hashing", "hashing, dimensions: 2"),
    ],
)
def test_an_editor_and_headrace_refuse_the_same(
    tmp_path: Path, validator: Draft202012Validator, old: str, new: str
) -> None:
    assert validator.is_valid(yaml.safe_load(SMALL))
    (tmp_path / "p.yaml").write_text(SMALL)
    assert read_pipeline(tmp_path / "p.yaml").name == "a"

    wrong = SMALL.replace(old, new)
    assert not validator.is_valid(yaml.safe_load(wrong))
    (tmp_path / "p.yaml").write_text(wrong)
    with pytest.raises(ConfigError):
        read_pipeline(tmp_path / "p.yaml")


class RowsSource(SourceSection):
    """A second kind of source, as one will be added to the configuration."""

    kind: Literal["rows"] = Field(description="Documents are rows.")
    table: str = Field(description="Name of the table.")


class TwoKinds(Pipeline):
    sources: tuple[
        Annotated[FilesSource | RowsSource, Field(discriminator="kind"), BeforeValidator(with_kind)], ...
    ] = Field(min_length=1, description="Where the documents come from.")


@pytest.fixture
def two_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Pipeline]:
    """Reads a configuration with these sources where there are two kinds of them."""
    for module in ("config.read", "config.explain"):
        monkeypatch.setattr(f"{module}.Pipeline", TwoKinds)

    def read(sources: str) -> Pipeline:
        (tmp_path / "p.yaml").write_text(SMALL.replace("[{path: docs}]", sources))
        return read_pipeline(tmp_path / "p.yaml")

    return read


SEVERAL = "[{path: docs}, {kind: files, path: more, canary: a.md}, {kind: rows, table: t, name: t, max_bytes: 9}]"


def test_a_second_kind_of_source_leaves_kind_optional_for_files(two_kinds: Callable[[str], Pipeline]) -> None:
    files, more, rows = two_kinds(SEVERAL).sources
    assert (type(files), type(more), type(rows)) == (FilesSource, FilesSource, RowsSource)
    assert (files.name, more.canary, rows.max_bytes) == ("docs", "a.md", 9)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ("[{kind: row}]", 'sources[0].kind: "row"; expected one of files, rows; did you mean rows?'),
        ("[{pth: docs, path: docs}]", "sources[0].pth: unknown setting; expected one of kind, path, "),
        ("[{kind: rows, path: x, table: t}]", "sources[0].path: unknown setting; expected one of kind, name, "),
        ("[docs]", 'sources[0]: "docs"; expected a mapping'),
        ("[{kind: rows}]", "sources[0].table: missing; expected: Name of the table."),
    ],
)
def test_a_mistake_in_a_source_of_several_kinds_is_explained(
    two_kinds: Callable[[str], Pipeline], sources: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"p.yaml:2: {message}")):
        two_kinds(sources)


@pytest.mark.usefixtures("two_kinds")
def test_an_editor_knows_a_second_kind_of_source_too() -> None:
    validator = Draft202012Validator(json_schema())
    for sources, is_valid in ((SEVERAL, True), ("[{kind: rows, path: x}]", False), ("[{kind: row, path: x}]", False)):
        assert validator.is_valid(yaml.safe_load(SMALL.replace("[{path: docs}]", sources))) is is_valid
