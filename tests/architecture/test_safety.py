"""Nothing that is read can run code, and no connection is left unchecked."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = [path for room in ("config", "flows", "tasks") for path in (ROOT / room).rglob("*.py")]
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "torch.load"}
RIGHT_FLAGS = {"trust_remote_code": False, "use_safetensors": True, "verify": True, "shell": False}

STRICT = {"trust_remote_code", "use_safetensors"}  # said wherever a model is loaded, and as a constant


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    assert len(MODULES) > 50
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def test_no_module_imports_what_reads_pickles() -> None:
    found = [(path, names) for path, node in nodes() if (names := imported(node) & FORBIDDEN_MODULES)]
    assert found == []


def test_nothing_that_is_read_is_run() -> None:
    calls = ((path, ast.unparse(node.func)) for path, node in nodes() if isinstance(node, ast.Call))
    assert [call for call in calls if call[1] in FORBIDDEN_CALLS] == []


def test_every_flag_that_guards_is_set_right() -> None:
    seen, wrong = set(), []
    for path, node in nodes():
        pairs = []
        if isinstance(node, ast.keyword) and node.arg:
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            pairs = [(key, value) for key, value in zip(keys, node.values, strict=True) if isinstance(key, str)]
        for name, value in pairs:
            if name in RIGHT_FLAGS:
                seen.add(name)
                told = value.value if isinstance(value, ast.Constant) else None
                if told is (not RIGHT_FLAGS[name]) or (told is None and name in STRICT):
                    wrong.append((path, name))
    assert wrong == []
    assert seen >= STRICT
