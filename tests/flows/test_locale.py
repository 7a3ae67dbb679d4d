"""Documents are named alike whatever the locale is, and every answer can be written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ["grüße.md", "日本.md", "ümläut/ä.md"]
CONFIG = "name: n\nsources: [{path: ./dôcs}]\nembedder: {kind: hashing}\nstore: {kind: qdrant, path: ./q}\n"
LOCALES = {
    "utf8": {"LC_ALL": "C.UTF-8"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii stdout": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"},
    "latin-1": {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture(scope="module")
def latin(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with that locale; "" where this machine cannot make it."""
    folder = tmp_path_factory.mktemp("locales")
    try:
        command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / "de_DE.ISO-8859-1")]
        return str(folder) if subprocess.run(command, check=False, capture_output=True).returncode == 0 else ""
    except FileNotFoundError:
        return ""


def run(folder: Path, locale: dict[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", "import sys; from flows.cli import run; sys.exit(run())", *words]
    environment = {**kept, **locale, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


def test_names_and_answers_do_not_depend_on_the_locale(tmp_path: Path, latin: str) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG, encoding="utf-8")
    for name in NAMES:
        path = tmp_path / "dôcs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Gruß aus {name}\n\nÄpfel und 日本.\n", encoding="utf-8")
    (tmp_path / os.fsdecode(b"d\xc3\xb4cs/\xfc.md")).write_text("odd\n")
    first: dict[str, object] = {}
    for kind, locale in LOCALES.items():
        if kind == "latin-1":
            if not latin:
                continue
            locale = {**locale, "LOCPATH": latin}
        synced = run(tmp_path, locale, "sync", "c.yaml", "--json")
        assert synced.returncode == 0, (kind, synced.stderr)
        report = json.loads(synced.stdout.decode("utf-8"))
        assert report["documents"]["added"] == (4 if not first else 0), kind
        assert report["documents"]["deleted"] == 0, kind
        found = run(tmp_path, locale, "search", "c.yaml", "Gruß aus 日本.md", "--json")
        answer = json.loads(found.stdout.decode("utf-8"))
        assert {hit["document"] for hit in answer["hits"]} >= {f"dôcs:{name}" for name in NAMES}, kind
        answer.pop("complete_at")
        first = first or answer
        assert answer == first, kind
        if "stdout" in kind or kind == "ascii":
            assert found.stdout.isascii(), kind
    plain = run(tmp_path, LOCALES["ascii"], "search", "c.yaml", "日本")
    assert (plain.returncode, b"Traceback" in plain.stderr) == (0, False)
