"""A docstring begins with what the thing returns or does, so that its first words can be read alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREPOSITIONS = (
    "about above after along among around as at before behind below beneath beside besides between beyond by despite"
    " down during except for from in inside into like near of off on onto out outside over past per since than through"
    " till to toward towards under until up upon via with within without"
)
RIDDLES = ("idle ", "none where ")


def docstrings() -> Iterator[tuple[str, str]]:
    """Place and text of those of modules, and of what is public in them."""
    for room in ("config", "flows", "tasks"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    name = getattr(node, "name", "")
                    if (text := ast.get_docstring(node)) and (not name.startswith("_") or name.startswith("__")):
                        yield f"{path.relative_to(ROOT)}:{name}", text


def begins_badly(text: str) -> bool:
    return text.split()[0].rstrip(".,:;").lower() in PREPOSITIONS.split() or text.lower().startswith(RIDDLES)


def test_no_public_docstring_begins_with_a_preposition() -> None:
    texts = list(docstrings())
    assert len(texts) > 500
    assert [f"{place}: {text.splitlines()[0]}" for place, text in texts if begins_badly(text)] == []


def test_a_bad_beginning_is_seen() -> None:
    bad = ("As in this process.", "By: the words.", "Idle where it has ended.", "None where nothing is.")
    good = ("`before` is what was known.", "Where documents come from.", "The way in.", "None: there is no text.")
    assert [begins_badly(text) for text in bad + good] == [True] * 4 + [False] * 4
