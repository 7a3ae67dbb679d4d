"""A configuration is read, or refused with file, line, field and remedy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.read import json_schema, read_name, read_pipeline
from config.template import write_config

GOOD = """\
name: handbook
sources:
  - kind: files
    path: ./docs
embedder:
  kind: hashing
store: {kind: qdrant}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(GOOD)
    return path


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path)
    return str(caught.value)


@pytest.mark.parametrize("setting", ["state", "cache"])
@pytest.mark.parametrize("path", ["kept.db", "./kept.db", "data/../kept.db", "sqlite:///kept.db"])
def test_a_database_may_be_named_by_its_path(file: Path, setting: str, path: str) -> None:
    file.write_text(f"{GOOD}{setting}: {path}\n")
    url = getattr(read_pipeline(file), setting)
    assert (url[:11], Path(url[10:]).resolve()) == ("sqlite:////", file.parent / "kept.db")


@pytest.mark.parametrize("setting", ["state", "cache"])
@pytest.mark.parametrize(
    "url", ["sqlite:kept.db", "sqlite://kept.db", "sqlite:///", "postgresql:/u:hidden@h/d", "u:hidden@h/d", "h:5432/d"]
)
def test_what_is_no_database_is_refused_at_its_setting(file: Path, setting: str, url: str) -> None:
    told = refusal(file, f"{GOOD}{setting}: {url}\n")
    assert f"pipeline.yaml:8: {setting}: " in told
    assert "expected sqlite:///path/to/file.db" in told or "a secret" in told
    assert "hidden" not in told


def test_relative_paths_are_relative_to_the_file(file: Path) -> None:
    pipeline = read_pipeline(file)
    assert pipeline.sources[0].path == str(file.parent / "docs")
    assert pipeline.state == f"sqlite:///{file.parent}/.headrace/handbook.db"
    assert pipeline.cache == f"sqlite:///{file.parent}/.headrace/embeddings.db"
    assert pipeline.sources[0].name == "docs"


def test_a_url_is_left_alone(file: Path) -> None:
    file.write_text(GOOD.replace("./docs", "s3://bucket/docs"))
    source = read_pipeline(file).sources[0]
    assert (source.path, source.name) == ("s3://bucket/docs", "s3-//bucket/docs")


def test_an_environment_variable_is_put_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "elsewhere")
    file.write_text(GOOD.replace("./docs", "${WHERE}/$${x}/${NOT_SET:-here}"))
    assert read_pipeline(file).sources[0].path == str(file.parent / "elsewhere/${x}/here")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("path: ./docs", "path: ${NOT_SET_ANYWHERE}", [":4:", "sources[0].path", "NOT_SET_ANYWHERE"]),
        ("    path: ./docs", "    pth: ./docs", [":4:", "sources[0].pth", "unknown setting", "path"]),
        ("kind: hashing", "kind: hashin", [":6:", "embedder", "hashin", "sentence-transformers", "openai"]),
        ("  kind: hashing", "  kind: hashing\n  dimensions: 3", [":7:", "embedder.dimensions", "3", "8"]),
        (
            "  kind: hashing",
            "  kind: hashing\n  dimensions: yes",
            [":7:", "embedder.dimensions", "true", "whole number"],
        ),
        ("kind: hashing", "kind: openai\n  max_usd: on", [":7:", "embedder.max_usd", "expected a number"]),
        ("kind: hashing", "kind: openai\n  model: ''", [":7:", "embedder.model", "expected text"]),
        ("kind: qdrant", "kind: qdrant, url: 'http://host:99999'", ["store.url", "no web address"]),
        ("kind: qdrant", "kind: qdrant, url: 'http://[::1'", ["store.url", "no web address"]),
        ("  kind: hashing", "  kind: hashing\n  kind: openai", [":7:", "'kind'", "second time"]),
        ("name: handbook", "name: my handbook", [":1:", "name", "my handbook"]),
        ("name: handbook\n", "", ["name", "missing"]),
        ("store: {kind: qdrant}", "store: {kind: qdrant", ["not valid YAML", "line"]),
        ("kind: qdrant", "kind: qdrant, path: !!python/object:os.system x", ["not valid YAML"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_remedy(file: Path, old: str, new: str, parts: list[str]) -> None:
    message = refusal(file, GOOD.replace(old, new))
    assert str(file) in message
    for part in parts:
        assert part in message


def test_two_sources_of_one_name_are_refused(file: Path) -> None:
    message = refusal(file, GOOD.replace("embedder:", "  - {kind: files, path: docs/}\nembedder:", 1))
    assert "'docs'" in message
    assert "name" in message


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n"])
def test_a_file_that_is_no_mapping_is_refused(file: Path, text: str) -> None:
    assert "expected a mapping" in refusal(file, text)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="headrace init"):
        read_pipeline(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        read_pipeline(tmp_path)


def test_a_secret_shows_in_no_error_and_no_print(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "sk-canary")
    openai = GOOD.replace("kind: hashing", "kind: openai\n  api_key: ${KEY}\n  max_usd: ${KEY}")
    assert "sk-canary" not in refusal(file, openai)
    file.write_text(openai.replace("\n  max_usd: ${KEY}", ""))
    assert "sk-canary" not in repr(read_pipeline(file))


def test_the_schema_names_every_setting() -> None:
    shape = json_schema()
    text = json.dumps(shape)
    for name in ("sources", "max_tokens", "tokens_per_minute", "max_fraction", "collection"):
        assert f'"{name}"' in text
    assert shape["$schema"].endswith("2020-12/schema")


def test_a_written_configuration_is_valid_and_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "my documents!"
    folder.mkdir()
    path = write_config(folder, folder / "headrace.yaml")
    pipeline = read_pipeline(path)
    assert (pipeline.name, pipeline.sources[0].path) == ("my-documents", str(folder))
    with pytest.raises(ConfigError, match="exists already"):
        write_config(folder, path)


@pytest.mark.parametrize("example", sorted((Path(__file__).parents[2] / "config/examples").glob("*.yaml")), ids=str)
def test_every_example_is_valid(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    assert read_pipeline(example).name


def test_the_configuration_imports_nothing_heavy() -> None:
    unwanted = {"tasks", "torch", "prefect", "sqlalchemy"}
    code = f"import sys, config.read, config.template; print(sorted({unwanted} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert answer.stdout.strip() == "[]"


def test_a_name_is_read_without_the_rest(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "platform")
    rest = GOOD.replace("./docs", "${NOT_SET}") + "state: ${secret:nobody-keeps-it}\nunknown: 1\n"
    for name, expected in (("handbook", "handbook"), ("${TEAM}-docs", "platform-docs"), ("${NO_TEAM:-x}", "x")):
        file.write_text(rest.replace("name: handbook", f"name: {name}"))
        assert read_name(file) == expected


@pytest.mark.parametrize("line", ["", "name: [a]", "name: a/b", "name: ${NOT_SET}", "name: 7"])
def test_what_is_no_name_is_refused(file: Path, line: str) -> None:
    file.write_text(GOOD.replace("name: handbook", line))
    with pytest.raises(ConfigError, match=r"pipeline\.yaml:[12]: name: "):
        read_name(file)
