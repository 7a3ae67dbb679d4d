"""Small files, short functions: the limits that the linter does not know."""

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
VAGUE = {"base_classes", "common", "core", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}


def sources() -> list[Path]:
    return sorted(path for package in ("config", "tasks", "flows") for path in (REPOSITORY / package).rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name of each function, and its lines without the docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = ast.get_docstring(node, clean=False)
            spent = (first.end_lineno or 0) - first.lineno + 1 if docstring is not None else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - spent


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in sources()}
    assert len(lengths) > 50
    assert {str(path.relative_to(REPOSITORY)): n for path, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_forty_lines() -> None:
    long = {
        f"{path.relative_to(REPOSITORY)}:{name}": lines
        for path in sources()
        for name, lines in functions(ast.parse(path.read_text()))
        if lines > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_a_docstring_does_not_count_as_length() -> None:
    code = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert list(functions(ast.parse(code))) == [("f", 2)]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in sources() if path.stem in VAGUE or path.parent.name in VAGUE] == []


def test_packages_hold_no_code_in_their_init() -> None:
    for path in sources():
        if path.name == "__init__.py":
            assert [type(node) for node in ast.parse(path.read_text()).body] in ([], [ast.Expr]), path
