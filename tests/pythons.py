"""Installs both locks on each Python that the package allows, in .venvs/, and runs the tests' quick part there.

`make pythons`, or `python -m tests.pythons 3.13` for some of them. Runs in any Python from 3.11 on, without packages.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
# A run from end to end, and all rooms but the servers' long contracts, which hang on no Python's version.
QUICK = (
    *("tests/config", "tests/architecture", "tests/contracts", "tests/tasks", "tests/flows/test_sync.py"),
    *("--ignore=tests/contracts/test_store.py", "--ignore=tests/tasks/upsert", "--ignore=tests/tasks/embed/api"),
    *("-m", "not model and not prefect"),
)


def promised() -> list[str]:
    """The versions that pyproject.toml names, such as `3.12`."""
    names = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["classifiers"]
    return re.findall(r"Python :: (3\.\d+)", "\n".join(names))


def candidates(version: str) -> list[str]:
    """Where this version may lie: what PYTHON312 names and nothing else, or the PATH, then pyenv's folder."""
    named = os.environ.get("PYTHON" + version.replace(".", ""))
    if named:
        return [named]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [f"python{version}", *(str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python")))]


def interpreter(version: str) -> str | None:
    """The first candidate that runs and is of this version; pyenv leaves commands on the PATH that only complain."""
    for candidate in candidates(version):
        command = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if shutil.which(candidate):
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            if said.stdout.strip() == version:
                return candidate
    return None


def proved(version: str, python: str) -> str:
    """Installs and tests in an environment that is kept for the next time: an empty text, or what failed."""
    folder = REPOSITORY / ".venvs" / version
    own = str(folder / "bin" / "python")
    install = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = {
        "venv": [python, "-m", "venv", str(folder)],
        "install": [*install, "-r", "requirements.lock", "-r", "requirements-dev.lock"],
        "install of headrace": [*install, "--no-deps", "--editable", "."],
        "pip check": [own, "-m", "pip", "check"],
        "tests": [own, "-m", "pytest", "-q", "-n", "logical", "--maxprocesses", "4", "--dist", "worksteal", *QUICK],
    }
    for name, command in steps.items():
        print(f"Python {version}: {name}", flush=True)
        if subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
            return f"{name} failed: {' '.join(command)}"
    return ""


def main() -> int:
    """Tries all of them, whatever became of the others: 1 where one failed or is not on this machine."""
    results = {}
    for version in sys.argv[1:] or promised():
        python, start = interpreter(version), time.monotonic()
        if python is None:
            results[version] = f"not found, so nothing is proved; name it with PYTHON{version.replace('.', '')}="
        else:
            results[version] = proved(version, python) or f"good, {time.monotonic() - start:.0f} s"
    for version, result in results.items():
        print(f"Python {version}: {result}")
    return 0 if all(result.startswith("good") for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
