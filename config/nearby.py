"""Pipelines that lie about, for whoever named none, or one that is not there."""

import difflib
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

MOST_SHOWN = 3
_MOST_READ = 100  # files in a folder of other people's YAML
_MOST_BYTES = 64_000
_SECTION = re.compile(rb"^(sources|embedder|store)\s*:", re.MULTILINE)


def pipelines_in(folder: Path) -> list[Path]:
    """YAML files in the folder, or in one right below it, that look like a pipeline."""
    paths = [path for depth in ("", "*/") for path in islice(sorted(folder.glob(f"{depth}*.y*ml")), _MOST_READ)]
    return [path for path in paths if not path.parent.name.startswith(".") and _is_pipeline(path)]


def other_than(path: Path) -> str:
    """What to give in place of a path that is no pipeline: a remedy for the end of an error."""
    folder = path if path.is_dir() else path.parent
    known = pipelines_in(folder) or pipelines_in(Path())
    close = difflib.get_close_matches(str(path), [str(one) for one in known], n=1)
    if close and not path.is_dir():
        return f"did you mean {close[0]}?"
    return f"give {one_of(known)}" if known else f"`headrace init {folder if path.is_dir() else 'FOLDER'}` writes one"


def one_of(paths: Sequence[Path]) -> str:
    """The first few, as a sentence has them."""
    names = [str(path) for path in paths[:MOST_SHOWN]]
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _is_pipeline(path: Path) -> bool:
    if path.name == "headrace.yaml":
        return True
    try:
        with path.open("rb") as file:
            return len(set(_SECTION.findall(file.read(_MOST_BYTES)))) > 1
    except OSError:
        return False
