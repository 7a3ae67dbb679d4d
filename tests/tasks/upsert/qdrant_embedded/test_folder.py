"""The folder of a collection, and a process that dies at any moment of making or marking it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import CollectionError, ServiceError
from tasks.records import Sentinel
from tasks.upsert.qdrant_embedded.folder import FIRST, Generations

SECOND = "generation-000002"


def built(folder: Path, *names: str) -> Generations:
    folder.mkdir(exist_ok=True)
    generations = Generations(folder)
    for name in names:
        with generations.building(name) as scratch:
            (scratch / "data").write_text(name)
    return generations


def test_a_missing_folder_has_no_generation(tmp_path: Path) -> None:
    generations = Generations(tmp_path / "none")
    assert generations.live() is None
    assert generations.sentinel() is None
    assert list(tmp_path.iterdir()) == []


def test_a_generation_appears_whole_and_lives_once_it_is_switched_to(tmp_path: Path) -> None:
    generations = built(tmp_path / "c", FIRST)
    generations.switch(FIRST)
    with generations.building(SECOND) as scratch:
        (scratch / "data").write_text("half")
        assert not (tmp_path / "c" / SECOND).exists()
    assert generations.live() == tmp_path / "c" / FIRST
    generations.switch(SECOND)
    assert generations.live() == tmp_path / "c" / SECOND
    assert (tmp_path / "c" / FIRST / "data").read_text() == FIRST


def test_a_generation_that_failed_half_way_is_started_afresh(tmp_path: Path) -> None:
    generations = built(tmp_path / "c")

    def fail() -> None:
        with generations.building(FIRST) as scratch:
            (scratch / "rubbish").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert generations.live() is None
    built(tmp_path / "c", FIRST)
    assert [path.name for path in (tmp_path / "c" / FIRST).iterdir()] == ["data"]


def test_the_sentinel_belongs_to_its_generation(tmp_path: Path) -> None:
    generations = built(tmp_path / "c", FIRST)
    generations.mark(Sentinel("line", 3, "space"))
    built(tmp_path / "c", SECOND).switch(SECOND)
    assert generations.sentinel() is None
    generations.mark(Sentinel("line", 4, "other"))
    generations.switch(FIRST)
    assert generations.sentinel() == Sentinel("line", 3, "space")


def test_a_single_generation_needs_no_pointer_and_gets_one(tmp_path: Path) -> None:
    generations = built(tmp_path / "c", FIRST)
    assert generations.live() == tmp_path / "c" / FIRST
    generations.settle()
    assert (tmp_path / "c" / "current").read_text() == FIRST + "\n"
    built(tmp_path / "c", SECOND).settle()
    assert generations.live() == tmp_path / "c" / FIRST


def test_nobody_guesses_which_of_two_generations_is_live(tmp_path: Path) -> None:
    generations = built(tmp_path / "c", FIRST, SECOND)
    with pytest.raises(CollectionError, match=r"current is missing and there are 2 generations.*generation-000002"):
        generations.live()


@pytest.mark.parametrize("text", ["generation-000009", "..", "", "\xff\xfe", "generation-000001/data"])
def test_a_pointer_to_nowhere_is_an_error_not_an_empty_collection(tmp_path: Path, text: str) -> None:
    generations = built(tmp_path / "c", FIRST)
    (tmp_path / "c" / "current").write_text(text, encoding="latin-1")
    with pytest.raises(CollectionError, match="no such generation beside it"):
        generations.sentinel()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"lineage": "x"}', '{"lineage": "x", "epoch": "y", "space": "z"}'])
def test_a_damaged_sentinel_is_reported_with_its_file(tmp_path: Path, text: str) -> None:
    generations = built(tmp_path / "c", FIRST)
    path = tmp_path / "c" / FIRST / "sentinel.json"
    path.write_text(text)
    with pytest.raises(ServiceError, match=r"sentinel\.json is not the mark .*; remove it"):
        generations.sentinel()
    assert path.read_text() == text


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / ".hidden").write_text("fine")
    with pytest.raises(CollectionError, match=r"1 files that are not Headrace's, 'notes\.md'"):
        built(tmp_path, FIRST)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "notes.md"]


# Runs `steps` in one child process after the other; the n-th dies, by SIGKILL, before its n-th change to the disk.
DYING = """
import os, signal, sys
from pathlib import Path
from tasks.records import Sentinel
from tasks.upsert.qdrant_embedded.folder import FIRST, Generations

left = 0

def mortal(real):
    def call(*arguments, **options):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*arguments, **options)
    return call

def steps(generations, number):
    generations.folder.mkdir(exist_ok=True)
    if generations.live() is None:
        with generations.building(FIRST) as scratch:
            (scratch / "data").write_text("whole")
    generations.settle()
    generations.mark(Sentinel("line", number, "space"))

deaths = 0
while True:
    child = os.fork()
    if child == 0:
        left = deaths
        for name in ("mkdir", "fsync", "replace", "rename"):
            setattr(os, name, mortal(getattr(os, name)))
        steps(Generations(Path(sys.argv[1]) / str(deaths)), 2)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    deaths += 1
print(deaths)
"""


def test_a_death_at_any_step_leaves_the_old_state_or_the_new_one(tmp_path: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], capture_output=True, text=True, check=True)
    deaths = int(answer.stdout)
    assert deaths >= 9
    for death in range(deaths):
        folder = tmp_path / str(death)
        generations = Generations(folder)
        before = generations.live()
        assert before is None or (before / "data").read_text() == "whole"
        assert generations.sentinel() in (None, Sentinel("line", 2, "space"))
        if before is None:
            built(folder, FIRST)
        generations.settle()
        generations.mark(Sentinel("line", 5, "space"))
        assert generations.sentinel() == Sentinel("line", 5, "space")


DIES_AT_THE_SWITCH = """
import os, signal, sys
from pathlib import Path
from tasks.upsert.qdrant_embedded.folder import Generations
os.replace = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGKILL)
Generations(Path(sys.argv[1])).switch("generation-000002")
"""


def test_the_pointer_survives_a_death_between_writing_and_replacing_it(tmp_path: Path) -> None:
    generations = built(tmp_path / "c", FIRST, SECOND)
    generations.switch(FIRST)
    code = subprocess.run([sys.executable, "-c", DIES_AT_THE_SWITCH, str(tmp_path / "c")], check=False).returncode
    assert code == -9
    assert (tmp_path / "c" / "current.new").read_text() == SECOND + "\n"
    assert generations.live() == tmp_path / "c" / FIRST
    generations.switch(SECOND)
    assert generations.live() == tmp_path / "c" / SECOND
    assert not (tmp_path / "c" / "current.new").exists()


def test_the_sentinel_is_plain_json(tmp_path: Path) -> None:
    generations = built(tmp_path / "c", FIRST)
    generations.mark(Sentinel("ein Stamm", 3, "space", "docs", "host:/a.yaml", 5.5, 6.5, 1, 2, 3))
    text = (tmp_path / "c" / FIRST / "sentinel.json").read_text()
    whole = {
        "lineage": "ein Stamm",
        "epoch": 3,
        "space": "space",
        "pipeline": "docs",
        "place": "host:/a.yaml",
        "at": 5.5,
        "complete_at": 6.5,
        "withheld": 1,
        "quarantined": 2,
        "unknown": 3,
    }
    assert json.loads(text) == whole
