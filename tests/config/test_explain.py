"""Every mistake in one message, in the order of the file: where, what was given, what was expected."""

from pathlib import Path
from typing import Any, get_args

import pytest

from config import embedders, stores
from config.errors import ConfigError
from config.read import read_pipeline

WRONG = """\
name: hand book
sourcs: []
sources:
  - cannary: a.md
    path: ./docs
    include: "**/*.md"
chunking:
  max_tokens: 8
  overlap_token: 3
embedder:
  kind: opnai
  model: x
store:
  path: x
deletions:
  max_count: lots
  max_fraction: 3
"""
RIGHT = "name: a\nsources: [{path: docs}]\nembedder: {kind: hashing}\nstore: {kind: memory}\n"


def refusal(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_pipeline(tmp_path / "p.yaml")
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def kinds(union: Any) -> str:
    """Those of a union of settings, as they are listed."""
    sections = get_args(get_args(union)[0])
    return ", ".join(sorted(get_args(section.model_fields["kind"].annotation)[0] for section in sections))


def test_all_mistakes_are_listed_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert refusal(tmp_path, WRONG) == [
        'p.yaml:1: name: "hand book"; expected text that matches ^[A-Za-z0-9][A-Za-z0-9._-]*$',
        "p.yaml:2: sourcs: unknown setting; expected one of name, sources, chunking, embedder, store, state, cache, "
        "shards, search, quality, writer, runner, metrics, quarantine_alert, deletions, near_duplicates; did you mean "
        "sources?",
        "p.yaml:4: sources[0].cannary: unknown setting; expected one of kind, path, name, canary, silent_after_hours, "
        "max_bytes, metadata, acl, ocr, include, exclude, private_network; did you mean canary?",
        'p.yaml:6: sources[0].include: "**/*.md"; expected a list',
        "p.yaml:8: chunking.max_tokens: 8; expected at least 16",
        "p.yaml:9: chunking.overlap_token: unknown setting; expected one of kind, max_tokens, overlap_tokens, context, "
        "late; did you mean overlap_tokens?",
        f'p.yaml:11: embedder.kind: "opnai"; expected one of {kinds(embedders.Embedder)}; did you mean openai?',
        f"p.yaml:13: store.kind: missing; expected one of {kinds(stores.Store)}",
        'p.yaml:16: deletions.max_count: "lots"; expected a whole number',
        "p.yaml:17: deletions.max_fraction: 3; expected at most 1.0",
    ]


MISTAKES = [
    ("name: a\n", "", "1: name: missing; expected: Names the pipeline in reports"),
    ("name: a", "name: 2024", "1: name: 2024; expected text, in quotes"),
    ("name: a", "name: a\n7: b", "2: [7]: this key is no text; expected names of settings"),
    ("[{path: docs}]", "[{kind: fils, path: x}]", '2: sources[0].kind: "fils"; expected '),
    ("[{path: docs}]", "docs", '2: sources: "docs"; expected a list'),
    ("[{path: docs}]", "[]", "2: sources: []; expected at least 1"),
    ("[{path: docs}]", "[docs]", '2: sources[0]: "docs"; expected a mapping'),
    ("[{path: docs}]", "", "2: sources: null; expected a list"),
    ("[{path: docs}]", "[{}]", "2: sources[0].path: missing; expected: Folder, file or fsspec URL"),
    (
        "[{path: docs}]",
        "[{path: docs, acl: {reader: [a]}}]",
        "2: sources[0].acl.reader: unknown setting; expected one of readers, default, sidecar, field, column, owner;"
        " did you mean readers?",
    ),
    ("[{path: docs}]", "[{path: docs, metadata: {a: [{}]}}]", "2: sources[0].metadata: expected text, a number"),
    ("{kind: hashing}", "hashing", '3: embedder: "hashing"; expected a mapping'),
    (
        "hashing",
        "hashing, dimension: 8",
        "3: embedder.dimension: unknown setting; expected one of kind, dimensions; did you mean dimensions?",
    ),
    ("hashing", "hashing, model: x", "3: embedder.model: unknown setting; expected one of kind, dimensions"),
    ("hashing", "openai, max_use: 1", "3: embedder.max_use: unknown setting; expected one of kind, model, "),
    ("hashing", "hashing, dimensions: 8.5", "3: embedder.dimensions: 8.5; expected a whole number"),
    ("hashing", "openai, max_usd: -1", "3: embedder.max_usd: -1; expected at least 0"),
    ("hashing", "openai, max_usd: much", '3: embedder.max_usd: "much"; expected a number'),
    (
        "memory}",
        "memory}\nchunking: {overlap_tokens: 200}",
        "5: chunking: overlap_tokens is 200, at most half of max_tokens",
    ),
    ("docs}", "docs}, {path: docs/}", "1: two sources are named 'docs'; give each its own `name`"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_explained(tmp_path: Path, old: str, new: str, message: str) -> None:
    (line,) = refusal(tmp_path, RIGHT.replace(old, new, 1))
    assert line[: len(message) + 7] == f"p.yaml:{message}"


def test_what_may_be_one_of_two_types_is_named_as_the_file_has_it(tmp_path: Path) -> None:
    assert refusal(tmp_path, RIGHT.replace("[{path: docs}]", "[{path: docs, metadata: 5}]")) == [
        "p.yaml:2: sources[0].metadata: 5; expected a mapping",
        "p.yaml:2: sources[0].metadata: 5; expected a list",
    ]


def test_a_suggestion_comes_from_the_section_that_was_written(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, RIGHT.replace("hashing", "openai, dimensoins: 8"))
    assert line.endswith("; did you mean dimensions?")
    (line,) = refusal(tmp_path, RIGHT.replace("memory", "memory, pth: x"))
    assert (
        line
        == "p.yaml:4: store.pth: unknown setting; expected one of kind, collection, keep_generations, keep_days, shared"
    )


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, RIGHT.replace("name: a", f"name: {'a' * 200}"))
    assert line == f'p.yaml:1: name: "{"a" * 79}…; expected at most 100 characters'


def test_a_secret_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, RIGHT.replace("hashing", "openai, api_key: 123456789"))
    assert line == "p.yaml:3: embedder.api_key: a secret; expected text, in quotes"
