"""Texts to measure with: real technical English, from the documentation strings of the installed packages.

The lock file fixes the packages, so the corpus is the same wherever the benchmarks run. It is made once, under build/.
"""

import ast
import inspect
import random
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGES = ("numpy", "scipy", "sklearn", "sympy", "networkx", "torch", "transformers", "sqlalchemy", "prefect")
FOLDER = Path(__file__).parents[2] / "build" / "benchmarks"
LEAST_CHARACTERS = 80


@cache
def pages() -> tuple[str, ...]:
    """Markdown, one page a module: headings for classes and functions, their documentation below, examples fenced."""
    path = FOLDER / "pages.txt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\0".join(_made_pages()), encoding="utf-8")
    return tuple(path.read_text(encoding="utf-8").split("\0"))


def write_pages(folder: Path, count: int, kilobytes: float = 4.0) -> int:
    """`count` files of about so many kilobytes in folders of 100, no two alike; returns the bytes written."""
    sections = [section for page in pages() for section in page.split("\n## ")[1:]]
    dice = random.Random(7)
    dice.shuffle(sections)
    written = position = 0
    for number in range(count):
        parts = [f"# Page {number}\n\nThe page number {number} of the collection.\n"]
        while sum(map(len, parts)) < kilobytes * 1000:
            turn, index = divmod(position, len(sections))
            position += 1
            # Once all sections are used, a line of their own keeps the texts of the next turn new.
            parts.append(f"\n## {sections[index]}" + (f"\n\nRound {turn}.\n" if turn else ""))
        path = folder / f"{number // 100}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        written += path.write_bytes("".join(parts).encode())
    return written


def _made_pages() -> Iterator[str]:
    root = Path(sysconfig.get_path("purelib"))
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if page := _page(path, str(path.relative_to(root))):
                yield page


def _page(path: Path, name: str) -> str:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, RecursionError):
        return ""
    parts = [f"# {name}\n"]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False) or ""
            if len(text) >= LEAST_CHARACTERS and "\0" not in text:
                parts.append(f"\n## {node.name}\n\n{_markdown(inspect.cleandoc(text))}\n")
    return "".join(parts) if len(parts) > 1 else ""


def _markdown(text: str) -> str:
    """Console examples become fenced blocks, as a person would write them in Markdown."""
    lines: list[str] = []
    is_fenced = False
    for line in text.split("\n"):
        is_example = line.lstrip().startswith((">>>", "..."))
        if is_example and not is_fenced:
            lines.append("```python")
            is_fenced = True
        elif is_fenced and not line.strip():
            lines.append("```")
            is_fenced = False
        lines.append(line)
    return "\n".join([*lines, "```"] if is_fenced else lines)
