"""The folder of an embedded collection: one folder per generation, and a pointer to the live one.

    <path>/<collection>/current                        the name of the live generation, replaced at one stroke
    <path>/<collection>/lock                           held by the process that has the collection open
    <path>/<collection>/lock.next                      held by the one that waits for it to write
    <path>/<collection>/socket                         where the one that has it open answers readers
    <path>/<collection>/generation-000001/shard/       the engine's files, and nothing of ours
    <path>/<collection>/generation-000001/sentinel.json      of a pipeline that shares it: sentinel-NAME.json
    <path>/<collection>/generation-000001/records.json  how many records there are, while nobody has it open
    <path>/<name>                                      a file with the name of the collection that was published last

A later generation can be built beside the live one and switched to. The pointer is a small text file rather than a
symbolic link, because archives, network drives and copying tools keep every file but not every link. The sentinel lies
inside the generation, so a copied, restored or lost folder carries or loses it along with its data.
"""

import json
import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tasks.errors import CollectionError, ServiceError
from tasks.records import Sentinel
from tasks.system.file_system import keep_private
from tasks.upsert.marks import read_mark

FIRST = "generation-000001"
_GENERATION = re.compile(r"generation-\d{6}")
_OURS = re.compile(r"\..*|current(\.new)?|lock(\.next)?|socket|generation-\d{6}(\.building)?")


class Generations:
    """Finds, builds, marks and switches the generations of one collection; file system errors pass through it."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the collection's; it need not exist."""
        self.folder = folder
        self._pointer = folder / "current"

    def live(self) -> Path | None:
        """None before the first generation is complete; CollectionError where nothing tells which one is live."""
        name = self._pointed()
        if name is None:
            return self._only()
        live = self.folder / name
        if _GENERATION.fullmatch(name) is None or not live.is_dir():
            raise CollectionError(
                f"{self._pointer} names {name!r}, but there is no such generation beside it; restore it from a backup,"
                f" or move {self.folder} away and run sync: the collection is written again from the cache"
            )
        return live

    def switch(self, name: str) -> None:
        """Make a generation the live one, at one stroke and durably."""
        _replace(self._pointer, name + "\n")

    def settle(self) -> None:
        """Write the pointer where a crash or a careless copy left the only generation without one."""
        live = self.live()
        if live is not None and self._pointed() is None:
            self.switch(live.name)

    def keep_private(self) -> None:
        """Take from others what rights an earlier version gave them; call for a collection that is there."""
        folder = self.folder.resolve()
        if keep_private(folder):  # who cannot enter it reaches nothing in it: the rest is looked at once
            for path in folder.rglob("*"):
                keep_private(path)

    @contextmanager
    def building(self, name: str) -> Generator[Path]:
        """A scratch folder that becomes the generation `name` when the block ends well.

        What a crash left of an earlier try is thrown away: nothing in a scratch folder was ever acknowledged.
        """
        self._refuse_strangers()
        scratch = self.folder / f"{name}.building"
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir(mode=0o700)
        yield scratch
        _sync(scratch)
        scratch.rename(self.folder / name)
        _sync(self.folder)

    def sentinel(self, pipeline: str = "") -> Sentinel | None:
        """The mark in the live generation."""
        live = self.live()
        if live is None:
            return None
        path = _mark_in(live, pipeline)
        try:
            return read_mark(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise ServiceError(
                f"{path} is not the mark that a run leaves ({error}); remove it, and the next sync checks every record"
            ) from error

    def mark(self, sentinel: Sentinel, pipeline: str = "") -> None:
        """Replace the mark durably."""
        live = self.live()
        if live is None:
            raise ServiceError(
                f"{self.folder} has no generation to mark; was it removed during the run? Run sync again"
            )
        _replace(_mark_in(live, pipeline), json.dumps(asdict(sentinel)) + "\n")

    def publish(self, name: str) -> None:
        """Write the pointer file `name` beside the collection."""
        path = self.folder.with_name(name)
        if path.is_dir():
            raise CollectionError(f"{path} is a collection, so no pointer can be written there; name another one")
        if self.live() is None:
            raise ServiceError(f"there is no collection in {self.folder}, so no name can lead to it; run sync")
        _replace(path, self.folder.name + "\n")

    def published(self, name: str) -> str | None:
        """The collection that the pointer file names."""
        path = self.folder.with_name(name)
        return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else None

    def _pointed(self) -> str | None:
        try:
            return self._pointer.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return None

    def _only(self) -> Path | None:
        """A crash just before the pointer was written, or a lost pointer: one complete generation speaks for itself."""
        found = sorted(path for path in self.folder.glob("generation-*") if _GENERATION.fullmatch(path.name))
        if len(found) > 1:
            raise CollectionError(
                f"{self._pointer} is missing and there are {len(found)} generations; write the name of the live one"
                f" into it, most likely {found[-1].name}"
            )
        return found[0] if found else None

    def _refuse_strangers(self) -> None:
        strangers = sorted(path.name for path in self.folder.iterdir() if not _OURS.fullmatch(path.name))
        if strangers:
            raise CollectionError(
                f"{self.folder} holds {len(strangers)} files that are not Headrace's, {strangers[0]!r} for one;"
                " name another `path` or `collection` under `store`"
            )


def _mark_in(generation: Path, pipeline: str) -> Path:
    return generation / (f"sentinel-{pipeline}.json" if pipeline else "sentinel.json")


def _replace(path: Path, text: str) -> None:
    """A reader, or a crash, meets the old text or the new one, never half of it."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """A rename is durable once the folder itself is on disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
