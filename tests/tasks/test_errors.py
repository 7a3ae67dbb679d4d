"""The tree that is drawn is the tree that there is."""

import importlib
import re
from pathlib import Path

import tasks.errors
from tasks.errors import HeadraceError

ROOT = Path(__file__).parents[2]


def family(error: type[HeadraceError]) -> dict[str, str]:
    """Each class with the one above it."""
    ours = ("tasks", "config", "flows")
    below = [child for child in error.__subclasses__() if child.__module__.split(".")[0] in ours]
    return {child.__name__: error.__name__ for child in below} | {
        name: above for child in below for name, above in family(child).items()
    }


def drawn() -> dict[str, str]:
    parents = ["HeadraceError"]
    tree = {}
    for indent, name in re.findall(r"^([│ ]*)[├└]── (\w+)", tasks.errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4
        tree[name] = parents[depth]
        parents[depth + 1 :] = [name]
    return tree


def test_every_error_is_drawn_below_the_one_it_comes_from() -> None:
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        if re.search(r"^class \w+Error\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert drawn() == family(HeadraceError)
