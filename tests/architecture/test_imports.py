"""What may import what, and what an import may cost."""

import importlib
import importlib.metadata
import json
import os
import re
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


SECTION = "## {0} the signing key\n\n{1}\n\n"
PAGE = "# Keys\n\nTwo words.\n\n" + "".join(
    SECTION.format(verb, f"Whoever is on duty reads {verb} as the manual has it. " * 8)
    for verb in ("Rotating", "Losing")
)
WITHOUT_EXTRAS = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refused())
from flows.cli import main
for words in {commands!r}:
    code = main(words)
    assert code == 0, (words, code)
"""


def test_commands_run_with_what_the_users_lock_installs(tmp_path: Path) -> None:
    """None of the extras' packages, nor the developers', is imported on the way."""
    named = re.findall(r"^([A-Za-z0-9._-]+)==", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    locked = {re.sub(r"[-_.]+", "-", name).lower() for name in [*named, "headrace", "pip", "setuptools"]}
    refused = {
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not locked & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    }
    assert {"PIL", "pytest", "ray"} <= refused
    (tmp_path / "docs").mkdir()
    for name, text in {"a.md": PAGE, "b.html": "<h1>One</h1><p>Two", "c.py": "x = 1", "d.txt": "T"}.items():
        (tmp_path / "docs" / name).write_text(text)
    config = tmp_path / "trial.yaml"
    section = "embedder: {kind: hashing}\nstore: {kind: qdrant, path: ./db}"
    include = "include: ['**/*']"
    config.write_text(f"name: trial\nsources: [{{path: ./docs, {include}}}]\n{section}\nstate: sqlite:///s.db\n")
    names = ("plan", "sync", "status", "verify", "where", "generations", "sync")
    asked = [["search", str(config), "two"], ["search", str(config), "two", "--mode", "text"], ["models"], ["schema"]]
    commands = [*([name, str(config)] for name in names), *asked, ["evaluate", str(config), "--bootstrap", "2"]]
    run = python(WITHOUT_EXTRAS.format(refused=refused, commands=commands), tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_help_comes_from_the_installed_command() -> None:
    command = Path(sys.executable).with_name("headrace")
    run = subprocess.run([command, "--help"], env={**os.environ}, capture_output=True, text=True, check=True)
    assert "Keeps a vector database equal to its document sources." in run.stdout
