"""What the engine and the file system say, and what it means to the user.

Nearly all of the engine's errors are of the one class `Exception`, so its words decide; a panic in its Rust code
arrives as a `PanicException`, which is no `Exception` at all.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import CollectionError, ConfigError, HeadraceError, LockedError, ServiceError
from tasks.system.scarcity import scarcity

_REBUILD = "restore the folder from a backup, or move it away and run sync: it is written again from the cache"

_BY_WORDS: tuple[tuple[str, type[HeadraceError], str], ...] = (
    ("WouldBlock", LockedError, "another process has opened the engine's files; wait for that to end and try again"),
    ("Vector dimension error", CollectionError, "the collection was made for another model; name a new `collection`"),
    ("No space left", ServiceError, "the disk is full; free some space and run again"),
    ("quota exceeded", ServiceError, "the disk quota is used up; free some space and run again"),
    ("Permission denied", ConfigError, "this account may not read or write there; check the folder's owner and mode"),
    ("Read-only file system", ServiceError, "the folder cannot be written; name another `path` under `store`"),
    ("No such file", ServiceError, _REBUILD),
    ("Not a directory", ServiceError, "a file is in the way; name another `path` under `store`"),
    ("File too large", ServiceError, "a limit on the size of files is in force; raise it, see `ulimit -f`"),
    ("Too many open files", ServiceError, "a limit on open files is in force; raise it, see `ulimit -n`"),
)
_BY_CLASS: tuple[tuple[type[Exception], str], ...] = (
    (OSError, "check the folder and the disk"),
    (TypeError, "the engine does not take such a value; is another version of qdrant-edge-py installed?"),
    (ValueError, "the engine does not take such a value; is another version of qdrant-edge-py installed?"),
    (ArithmeticError, "the engine does not take numbers as large or as small as that"),
    (RuntimeError, "the engine was busy with another call; run again"),
)


def is_foreign(error: BaseException) -> bool:
    """True for what engine and file system raise; False for our own errors, our own bugs and the wish to stop."""
    known = tuple(kind for kind, _ in _BY_CLASS)
    return type(error) is Exception or isinstance(error, known) or type(error).__name__ == "PanicException"


@contextmanager
def translated(folder: Path) -> Generator[None]:
    """Foreign errors that leave the block are ours."""
    try:
        yield
    except BaseException as error:
        if is_foreign(error):
            raise translate(error, folder) from error
        raise


def translate(error: BaseException, folder: Path) -> HeadraceError:
    """Our error, by its words where they are known, else by its class; all else means damaged files."""
    text = " ".join(str(error).split()) or type(error).__name__
    for words, kind, remedy in _BY_WORDS:
        if words in text:
            return kind(f"the collection in {folder}: {text}; {remedy}")
    remedy = scarcity(text) or next((remedy for kind, remedy in _BY_CLASS if isinstance(error, kind)), _REBUILD)
    return ServiceError(f"the collection in {folder}: {text}; {remedy}")
