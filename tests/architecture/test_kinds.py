"""Which backend it is, only its own door asks."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from config import embedders, stores
from config.embedders import PaidEmbedder
from config.pipeline import Pipeline
from tests.architecture.test_imports import PACKAGES, REPOSITORY

MONEY = {"api_key", "max_usd", "usd_per_million_tokens"}
KINDS = {kind.__name__ for union in (embedders.Embedder, stores.Store) for kind in get_args(get_args(union)[0])}


def questions(code: str) -> Iterator[int]:
    """Lines that compare a `kind`, or ask for the class of one backend's settings."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Compare) and "kind" in {
            part.attr for part in (node.left, *node.comparators) if isinstance(part, ast.Attribute)
        }:
            yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            names = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
            names |= {part.attr for part in ast.walk(node.args[1]) if isinstance(part, ast.Attribute)}
            if names & KINDS:
                yield node.lineno


@pytest.mark.parametrize(
    "line",
    [
        "if embedder.kind != 'openai': pass",
        "x = a.kind == 'hashing'",
        "y = config.kind in ('a', 'b')",
        "isinstance(e, OpenAIEmbedder)",
        "isinstance(e, stores.MemoryStore | None)",
    ],
)
def test_a_question_for_a_kind_is_seen(line: str) -> None:
    assert list(questions(line)) == [1]


def test_only_a_door_asks_for_a_kind() -> None:
    paths = [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py") if path.name != "open.py"]
    asking = [f"{path.relative_to(REPOSITORY)}:{line}" for path in paths for line in questions(path.read_text())]
    assert asking == []


def test_what_takes_a_key_or_money_is_a_paid_embedder() -> None:
    for kind in get_args(get_args(embedders.Embedder)[0]):
        assert issubclass(kind, PaidEmbedder) == bool(MONEY & set(kind.model_fields)), kind


def test_a_runs_money_limit_reaches_every_paid_kind(tmp_path: Path) -> None:
    class Newcomer(PaidEmbedder):
        """A provider that nobody thought of."""

    given = {
        "name": "limited",
        "sources": [{"path": str(tmp_path)}],
        "embedder": {"kind": "hashing"},
        "store": {"kind": "memory"},
    }
    pipeline = Pipeline.model_validate(given, context={"folder": tmp_path})
    limited = pipeline.model_copy(update={"embedder": Newcomer.model_validate({"model": "x"})}).limited_to(0.01)
    assert isinstance(limited.embedder, PaidEmbedder)
    assert limited.embedder.max_usd == 0.01
