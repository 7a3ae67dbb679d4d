"""`headrace watch`: what is saved is found, what goes wrong is told, and it ends in order."""

import json
import os
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from flows.commands.watch import run
from tasks.errors import ServiceError
from tasks.load.files.local import Files
from tasks.sync.report import Chunks, Outcome, Report
from tasks.sync.watch import Tell, Trouble
from tests.conftest import Pipeline

ROOT = Path(__file__).parents[2]
Next = Callable[[Callable[[Any], bool]], Any]


@contextmanager
def watching(pipeline: Pipeline, *options: str) -> Generator[tuple["subprocess.Popen[str]", Next]]:
    """The process, and a way to the first line that is looked for; the lines before are passed over."""
    command = [sys.executable, "-m", "flows.cli", "watch", str(pipeline.config), "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        seen: list[Any] = []

        def line(is_meant: Callable[[Any], bool]) -> Any:
            assert process.stdout
            for text in process.stdout:
                seen.append(json.loads(text))
                if is_meant(seen[-1]):
                    return seen[-1]
            raise AssertionError((seen, process.stderr and process.stderr.read()))

        try:
            yield process, line
        finally:
            process.kill()


def counted(name: str, number: int = 1) -> Callable[[Any], bool]:
    return lambda line: line.get("documents", {}).get(name) == number


def test_what_is_saved_is_found_until_a_signal_ends_it(pipeline: Pipeline) -> None:
    config = pipeline.config.read_text()
    with watching(pipeline) as (process, line):
        assert line(counted("added", 3))["exit_code"] == 0
        pipeline.write("new.md", "# New\n\nIt is found at once.\n")
        assert line(counted("added"))["documents"]["listed"] < 4  # nothing else was looked at
        hits = pipeline.run("search", str(pipeline.config), "found at once", "--limit", "1", "--json").json["hits"]
        assert hits[0]["document"] == "docs:new.md"
        (pipeline.folder / "docs/new.md").unlink()
        assert line(counted("deleted"))["documents"]["withheld"] == 0
        assert pipeline.sync()["documents"]["unchanged"] == 3  # others find their turn
        pipeline.write("more/below/d.md", "# Deep\n")
        line(counted("added"))
        shutil.rmtree(pipeline.folder / "docs/more")
        line(counted("deleted"))
        pipeline.config.write_text(config.replace("docs", "nowhere"))
        pipeline.write("wake.md", "# Wake\n")
        told = line(lambda one: "error" in one)
        assert (told["exit_code"], "nowhere does not exist" in told["error"]) == (2, True)
        pipeline.config.write_text(config)
        line(lambda one: one["exit_code"] == 0)  # the new file may have come before the mistake was noticed
        process.send_signal(signal.SIGTERM)
        assert (process.wait(60), line(lambda one: "error" in one)["exit_code"]) == (143, 143)
    assert "wake.md" in pipeline.texts()


def test_a_login_page_in_every_file_is_withheld_and_can_be_confirmed(pipeline: Pipeline) -> None:
    pipeline.config.write_text(f"{pipeline.config.read_text()}deletions: {{max_count: 1, max_fraction: 0}}\n")
    with watching(pipeline, "--every", "1h") as (process, line):
        line(counted("added", 3))
        for name in ("a.md", "b.md"):
            pipeline.write(name, "# Sign in\n\nPlease sign in to read this.\n")
        line(counted("withheld", 2))
        whole = line(lambda one: one["documents"]["listed"] == 3 and one["documents"]["withheld"] == 2)
        assert pipeline.sync("--confirm-deletes", whole["plan_hash"])["code"] == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_what_is_amiss_is_told_once_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    withheld = partial(Report, "trial", outcome=Outcome.WITHHELD, plan_hash="1234", notes=["withheld"])
    aside = partial(Report, "trial", outcome=Outcome.PARTIAL, notes=["quarantined"])
    written = Report("trial", chunks=Chunks(written=1))
    away = Trouble(ServiceError("the server is away"), 60.0)
    rounds: list[tuple[Report | Trouble, bool, bool]] = [
        (Report("trial"), True, False),  # what is told, whether it looked at all documents, whether it is said
        (withheld(), True, True),
        (withheld(run="another"), True, False),
        (written, False, True),
        (Report("trial"), False, False),
        (withheld(run="a third"), True, False),
        (withheld(plan_hash="5678"), True, True),
        (aside(), True, True),
        (aside(), True, False),
        (away, True, True),
        (away, True, False),
        (Report("trial"), True, True),  # all is well again
        (Report("trial"), True, False),
        (written, True, True),
    ]

    said: list[bool] = []
    options = Namespace(config="watched.yaml", every=None, json=False, stdout=StringIO())

    def watched(_file: Path, _every: object, _sync: object, tell: Tell) -> None:
        for told, is_whole, _ in rounds:
            before = options.stdout.tell()
            tell(told, is_whole=is_whole)
            said.append(options.stdout.tell() > before)

    monkeypatch.setattr("tasks.sync.watch.watch", watched)
    run(options)
    assert said == [is_said for _, _, is_said in rounds]
    options.json = True
    run(options)
    assert all(said[len(rounds) :])


@pytest.mark.parametrize("every", ["0s", "5", "-1m", "1w", "", "soon", "1e3s"])
def test_a_length_of_time_needs_its_unit(every: str, pipeline: Pipeline) -> None:
    outcome = pipeline.run("watch", str(pipeline.config), f"--every={every}")
    assert (outcome.code, "expected a number and its unit" in outcome.err) == (2, True)


def test_what_is_wrong_from_the_start_ends_it(pipeline: Pipeline) -> None:
    pipeline.config.write_text(pipeline.config.read_text().replace("./docs", "./nowhere"))
    outcome = pipeline.run("watch", str(pipeline.config))
    assert (outcome.code, "nowhere does not exist" in outcome.err) == (2, True)


def test_a_look_at_some_files_is_what_a_listing_says_of_them(tmp_path: Path) -> None:
    from config.sources import FilesSource

    source = Files(FilesSource(path=str(tmp_path), name="s", exclude=("old/**",)))
    for name in ("a.md", "b/c.md", "b/d.exe", "old/e.md", ".git/f.md", "g.md.swp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / ".headraceignore").write_text("b/h.md\n")
    (tmp_path / "b/h.md").write_text("left out")
    (tmp_path / "link.md").symlink_to(tmp_path / "a.md")
    (tmp_path / "out.md").symlink_to("/etc/hostname")
    (tmp_path / "folder").symlink_to(tmp_path / "b")
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir() and path.suffix]
    whole, part = source.list(), source.part([*names, "folder/c.md", "gone.md", "gone.exe"])
    assert part is not None
    assert part.list().refs == whole.refs
    assert part.list().only == {
        f"s:{name}" for name in ("a.md", "b/c.md", "link.md", "out.md", "folder/c.md", "gone.md")
    }
    assert source.part(["b"]) is None  # a folder may hold anything
    assert source.part([".headraceignore"]) is None
    shutil.rmtree(tmp_path)
    assert source.part(["a.md"]) is None  # nothing is known where the whole folder is gone
