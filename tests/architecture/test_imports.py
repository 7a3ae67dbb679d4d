"""What may import what, and what an import may cost."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("config", "tasks", "flows")
HEAVY = {
    "PIL", "bs4", "fsspec", "markdownify", "openai", "pandas", "prefect", "pypdfium2", "python_calamine", "qdrant_edge",
    "sentence_transformers", "sqlalchemy", "tiktoken", "tokenizers", "tokie", "torch", "transformers",
}  # fmt: skip


def modules() -> list[str]:
    """Every module of ours, by its import path."""
    paths = (path.relative_to(REPOSITORY) for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
    return sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths)


def python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that knows nothing of the user: no variable, an empty home."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=REPOSITORY, env={"HOME": str(home)}, capture_output=True, text=True, check=False)


def test_the_import_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "0 broken" in run.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_comes_from_this_repository(package: str) -> None:
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).resolve() == REPOSITORY / package / "__init__.py"


def test_every_module_imports_in_an_empty_environment(tmp_path: Path) -> None:
    code = f"import importlib; print(len([importlib.import_module(name) for name in {modules()!r}]))"
    run = python(code, tmp_path)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == len(modules()) > 50


@pytest.mark.parametrize(
    "statement",
    [
        "import flows.cli",
        "from flows.cli import main; main(['schema', '--json'])",
        "from pathlib import Path; from config.read import read_pipeline; "
        "read_pipeline(Path('config/examples/quickstart.yaml'))",
    ],
    ids=["the command line", "headrace schema", "reading a configuration"],
)
def test_nothing_heavy_is_imported_before_it_is_used(statement: str, tmp_path: Path) -> None:
    code = f"import json, sys; {statement}; print(json.dumps(sorted({HEAVY!r} & set(sys.modules))), file=sys.stderr)"
    run = python(code, tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stderr) == []


@pytest.mark.parametrize(
    "module", ["tasks.chunk.auto", "tasks.upsert.qdrant_embedded.engine", "tasks.upsert.chroma.child"]
)
def test_what_runs_in_a_process_of_its_own_starts_without_the_configuration(module: str, tmp_path: Path) -> None:
    unwanted = {*HEAVY, "config.fields", "pydantic", "sqlite3", "yaml"}
    code = f"import json, sys, {module}; print(json.dumps(sorted({unwanted!r} & set(sys.modules))))"
    run = python(code, tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == []


def test_help_comes_from_the_installed_command() -> None:
    command = Path(sys.executable).with_name("headrace")
    run = subprocess.run([command, "--help"], env={**os.environ}, capture_output=True, text=True, check=True)
    assert "Keeps a vector database equal to its document sources." in run.stdout
