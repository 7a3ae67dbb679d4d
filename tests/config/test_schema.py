"""The JSON Schema that editors complete from agrees with what is read."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

from config.errors import ConfigError
from config.read import json_schema, read_pipeline
from config.sources import FilesSource, with_kind
from config.template import write_config

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
    text = "name: a\nsources: [{path: docs}]\nembedder: {kind: hashing}\nstore: {kind: memory}\n"
    assert validator.is_valid(yaml.safe_load(text))
    (tmp_path / "p.yaml").write_text(text)
    assert read_pipeline(tmp_path / "p.yaml").name == "a"

    wrong = text.replace(old, new)
    assert not validator.is_valid(yaml.safe_load(wrong))
    (tmp_path / "p.yaml").write_text(wrong)
    with pytest.raises(ConfigError):
        read_pipeline(tmp_path / "p.yaml")


def test_a_source_without_its_kind_is_files_also_where_there_are_several_kinds() -> None:
    class Other(BaseModel):
        kind: Literal["other"]

    several = Annotated[FilesSource | Other, Field(discriminator="kind"), BeforeValidator(with_kind)]
    adapter: TypeAdapter[FilesSource | Other] = TypeAdapter(several)
    assert isinstance(adapter.validate_python({"path": "docs"}), FilesSource)
    assert isinstance(adapter.validate_python({"kind": "other"}), Other)
