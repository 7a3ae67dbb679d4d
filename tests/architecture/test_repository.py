"""Nothing in the repository knows the machine it was written on, and what the documents promise exists."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import main
from flows.commands.table import COMMANDS

REPOSITORY = Path(__file__).parents[2]
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|opt|root|tmp)/")
README = (REPOSITORY / "README.md").read_text()
LINK = re.compile(r"\[[^]]*\]\(([^)#]+)")
BLOCK = re.compile(r"^```(?:bash|sh|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def tracked() -> list[Path]:
    """Every file that git would commit."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("a copy without its history: no telling which files belong to it")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [path for name in listing.split("\0") if name and (path := REPOSITORY / name).is_file()]


def documented(text: str) -> Iterator[list[str]]:
    """The words of each command in a document's shell blocks, without prompts, comments and what follows a pipe."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|\|\||[|;]", line.removeprefix("$ ")):
                words = shlex.split(command, comments=True)
                if words:
                    yield [words[0].rpartition("/")[2], *words[1:]]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}: {match[0]}"
        for path in tracked()
        for match in MACHINE_PATH.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_the_locks_hold_versions_and_nothing_of_one_index() -> None:
    users, tools = ((REPOSITORY / f"requirements{part}.lock").read_text().splitlines() for part in ("", "-dev"))
    assert "torch==2.13.0" in users
    for line in users + tools:
        assert re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.]+( ; [^/@]+)?", line), line
        assert not line.startswith(("nvidia-", "cuda-", "triton=="))


def test_commands_are_found_in_a_document() -> None:
    shell = "```bash\n$ make demo  # shows\n.venv/bin/headrace sync \\\n  a.yaml | cat\n```\n"
    text = f"Run `make no`:\n{shell}```yaml\nmake: x\n```\n"
    assert list(documented(text)) == [["make", "demo"], ["headrace", "sync", "a.yaml"], ["cat"]]


def test_the_readme_shows_how_to_start_and_every_command() -> None:
    shown = {(name, *words[:1]) for name, *words in documented(README)}
    assert {("make", "demo"), ("make", "test"), *(("headrace", command) for command in COMMANDS)} <= shown


def test_a_link_in_a_document_leads_somewhere() -> None:
    links = [(path, link) for path in REPOSITORY.glob("*.md") for link in LINK.findall(path.read_text())]
    assert links
    assert [link for path, link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_the_readme_names_only_what_exists(capsys: pytest.CaptureFixture[str]) -> None:
    for name, *words in documented(README):
        if name == "make":
            assert {word for word in words if word.isalpha()} <= make_targets()
        if name == "headrace":
            assert words[0] in {*COMMANDS, "help", "--help"}
            with pytest.raises(SystemExit):
                main([words[0], "--help"])
            shown = capsys.readouterr().out
            assert [word for word in words if word.startswith("--") and word.split("=")[0] not in shown] == []


def test_every_make_target_says_what_it_does() -> None:
    command = ["make", "--no-print-directory", "help"]
    described = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in described.splitlines()} == make_targets()
