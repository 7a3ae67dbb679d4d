"""The folder of an embedded collection: one folder per generation, and a pointer to the live one.

    <path>/<collection>/current                 the name of the live generation, replaced atomically
    <path>/<collection>/generation-000001/shard the engine's files
    <path>/<collection>/generation-000001/sentinel.json

The sentinel lies inside the generation, so a copied, restored or lost folder carries or loses it along with its data.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

from tasks.errors import ServiceError
from tasks.records import Sentinel

FIRST = "generation-000001"


class Generations:
    """Reads and switches the live generation of one collection."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the collection's; it need not exist."""
        self.folder = folder

    def live(self) -> Path | None:
        """The live generation's folder; None before the first one is complete."""
        pointer = self.folder / "current"
        try:
            return self.folder / pointer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ServiceError(f"{pointer} cannot be read: {error.strerror}; check its permissions") from error

    def switch(self, name: str) -> None:
        """Make a generation the live one, at one stroke and durably."""
        _replace(self.folder / "current", name)

    def sentinel(self) -> Sentinel | None:
        """The mark in the live generation."""
        live = self.live()
        if live is None:
            return None
        path = live / "sentinel.json"
        try:
            return Sentinel(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ServiceError(f"{path} cannot be read: {error}; remove it, and the next run verifies all") from error

    def mark(self, sentinel: Sentinel) -> None:
        """Replace the mark durably."""
        live = self.live()
        if live is None:
            raise ServiceError(f"{self.folder} has no live generation to mark; was it removed during the run?")
        _replace(live / "sentinel.json", json.dumps(asdict(sentinel)))


def _replace(path: Path, text: str) -> None:
    """A reader, or a crash, meets the old text or the new one, never half of it."""
    new = path.with_name(path.name + ".new")
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ServiceError(f"{path} cannot be written: {error.strerror}; check disk space and permissions") from error
