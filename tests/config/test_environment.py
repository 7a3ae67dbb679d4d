"""Variables of the environment: put in where they are named, and out of every message."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.environment import Environment
from config.errors import ConfigError
from config.read import read_pipeline
from config.yaml_file import read_yaml


def fill(tmp_path: Path, text: str, variables: Mapping[str, str]) -> Any:
    (tmp_path / "p.yaml").write_text(text)
    return Environment(variables).fill(read_yaml(tmp_path / "p.yaml"))


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${A}", "one"),
        ("x${A}-${B}y", "xone-two wordsy"),
        ("$${A}", "${A}"),
        ("$${A} ${A}", "${A} one"),
        ("${C:-three}", "three"),
        ("${A:-three}", "one"),
        ("${C:-}", ""),
        ("${C:-a:-b}", "a:-b"),
        ("${EMPTY}", ""),
        ("${EMPTY:-three}", "three"),
        ("$A", "$A"),
        ("A", "A"),
        ("costs $5", "costs $5"),
    ],
)
def test_a_reference_becomes_its_value(tmp_path: Path, written: str, filled: str) -> None:
    variables = {"A": "one", "B": "two words", "EMPTY": ""}
    assert fill(tmp_path, f"k: ['{written}', {{deep: '{written}'}}]", variables) == {"k": [filled, {"deep": filled}]}


def test_a_value_is_not_looked_through_a_second_time(tmp_path: Path) -> None:
    assert fill(tmp_path, "k: ${A}", {"A": "${B}", "B": "x"}) == {"k": "${B}"}


def test_keys_numbers_and_comments_are_left_alone(tmp_path: Path) -> None:
    assert fill(tmp_path, "${A}: 1  # ${NO}\n", {}) == {"${A}": 1}


def test_all_that_is_missing_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        fill(tmp_path, "a: ${NO_1}\nb:\n- c: ${NO_2} ${YES}\n- ${no-name}\n", {"YES": "secret"})
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "p.yaml:1: a: the environment variable NO_1 is not set; export NO_1=…",
        "p.yaml:3: b[0].c: the environment variable NO_2 is not set; export NO_2=…",
        "p.yaml:4: b[1]: ${no-name} names no variable; expected ${NAME}, ${secret:NAME}, or $${ for a plain ${",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "name: ${CANARY}\nsources: [{path: .}]\nembedder: {kind: hashing}\nstore: {kind: memory}\n",
        "name: a\nsources: [{path: ., name: 'x:${CANARY}'}]\nembedder: {kind: hashing}\nstore: {kind: memory}\n",
        "name: a\nsources: [{path: .}]\nembedder: {kind: '${CANARY}'}\nstore: {kind: memory}\n",
        "name: a\nsources: [{path: .}]\nembedder: {kind: hashing, dimensions: '${CANARY}'}\nstore: {kind: memory}\n",
        "name: a\nsources: [{path: .}]\nembedder: '${CANARY}'\nstore: {kind: memory}\n",
        "name: a\nsources: [{path: 1, name: b-canary}, {path: 2, name: '${CANARY}'}]\nembedder: {}\nstore: {}\n",
        "name: a\nsources: [{path: x, name: '${CANARY}'}, {path: y, name: '${CANARY}'}]\n"
        "embedder: {kind: hashing}\nstore: {kind: memory}\n",
    ],
    ids=["pattern", "source name", "kind", "number", "section", "several", "validator's own words"],
)
def test_what_came_from_the_environment_shows_in_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CANARY", "s3cret canary")
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_pipeline(tmp_path / "p.yaml")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "${CANARY}" in str(caught.value) or "sources[0].path" in str(caught.value)
