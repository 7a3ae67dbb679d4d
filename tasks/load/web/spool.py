"""What a listing has read, kept in a file without a name until the documents are read."""

import contextlib
import tempfile
import threading
import weakref

MOST_BYTES = 1 << 30


class Spool:
    """Contents by their hash; above the bound, and on a full disk, they are not kept. For several threads."""

    def __init__(self) -> None:
        """The file is made by the first content."""
        self._file = tempfile.SpooledTemporaryFile(max_size=1 << 24)  # noqa: SIM115 - closed with this
        weakref.finalize(self, self._file.close)
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def keep(self, digest: str, content: bytes) -> None:
        """Write it down, if it can be."""
        with self._lock, contextlib.suppress(OSError):
            if digest not in self._places and self._end + len(content) <= MOST_BYTES:
                self._file.seek(self._end)
                self._file.write(content)
                self._places[digest] = (self._end, len(content))
                self._end += len(content)

    def content(self, digest: str) -> bytes | None:
        """None for what was not kept."""
        with self._lock:
            if digest not in self._places:
                return None
            start, size = self._places[digest]
            self._file.seek(start)
            return self._file.read(size)

    def close(self) -> None:
        """Give the space back."""
        with self._lock:
            self._file.close()
            self._places.clear()
