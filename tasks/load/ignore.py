"""What a `.headraceignore` leaves out of its folder, and of those below it: by the rules of `.gitignore`."""

from functools import lru_cache

from pathspec import GitIgnoreSpec

IGNORE_FILE = ".headraceignore"
MOST_BYTES = 1 << 20
MOST_STARS = 4  # each multiplies how long a name is looked at


class Ignored:
    """The ignore files of one listing; the nearest one that says something of a path decides."""

    def __init__(self) -> None:
        """An ignore file is added before what stands in or below its folder is asked about."""
        self._files: dict[str, GitIgnoreSpec] = {}
        self._hides_folder = lru_cache(maxsize=65_536)(self._hides_way_to)

    def __bool__(self) -> bool:
        return bool(self._files)

    def add(self, folder: str, content: bytes) -> None:
        """Take the file of a folder, "" for the root; ValueError for one that cannot be followed."""
        lines = content[:MOST_BYTES].decode("utf-8-sig", "surrogateescape").splitlines()
        for line in lines:
            if any(part.count("*") > MOST_STARS for part in line.replace("**", "").split("/")):
                raise ValueError(f"{line[:80]!r} has more than {MOST_STARS} stars in the name of one file or folder")
        self._files[folder] = GitIgnoreSpec.from_lines(lines)

    def hides(self, path: str) -> bool:
        """Whether the path is left out, itself or with a folder above it; that of a folder ends in a slash."""
        return bool(self._files) and (self._hides_folder(_above(path)) or self._hides(path))

    def _hides_way_to(self, folder: str) -> bool:
        return folder != "" and (self._hides_folder(_above(folder)) or self._hides(f"{folder}/"))

    def _hides(self, path: str) -> bool:
        folder = _above(path)
        while True:
            spec = self._files.get(folder)
            verdict = spec.check_file(path[len(folder) :].removeprefix("/")).include if spec else None
            if verdict is not None:
                return verdict
            if not folder:
                return False
            folder = _above(folder)


def _above(path: str) -> str:
    return path.rstrip("/").rpartition("/")[0]
