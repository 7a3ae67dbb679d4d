"""What Lance, the file system and the bucket say, and what it means to the user."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from tasks.errors import ConfigError, HeadraceError, NoCollectionError, ServiceError, TransientError
from tasks.system.scarcity import scarcity

_PLACES = re.compile(r",? /\S+\.rs:\d+:\d+")  # in Lance's own code
_LONGEST = 400  # characters of a foreign text in a message

_NO_COLLECTION = "there is no collection yet, or it was removed; run sync"
_KEYS = "check the bucket's name and the keys in the environment, such as AWS_ACCESS_KEY_ID"
_DAMAGED = "restore the collection's folder, or remove it and run sync: it is written again from the cache"
_BY_WORDS: tuple[tuple[str, type[HeadraceError], str], ...] = (
    ("Table .* was not found", NoCollectionError, _NO_COLLECTION),
    ("Not found: .*_versions", NoCollectionError, _NO_COLLECTION),
    ("No object store provider", ConfigError, "expected a folder, or an address with s3://, gs:// or az://"),
    ("NoSuchBucket|[Bb]ucket does not exist|specified bucket", ConfigError, _KEYS),
    ("AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|status: 40[13]|status code: 40[13]", ConfigError, _KEYS),
    ("[Cc]redential", ConfigError, _KEYS),
    ("[Cc]ommit conflict|concurrent writers|conflicted with|Retryable", TransientError, "run again"),
    ("RetryError|status: 5|timed out|[Cc]onnect", TransientError, "is the bucket's service up? Run again"),
    ("No space left", ServiceError, "the disk is full; free some space and run again"),
    ("[Qq]uota exceeded", ServiceError, "the disk quota is used up; free some space and run again"),
    ("Permission denied", ServiceError, "this user may not do that there; check the folder's owner and mode"),
    ("Read-only file system", ServiceError, "the folder cannot be written; name another `path` under `store`"),
    ("Not a directory|File exists", ConfigError, "a file is in the way; name another `path` under `store`"),
    ("Too many open files", ServiceError, "a limit on open files is in force; raise it, see `ulimit -n`"),
)


@contextmanager
def translated(name: str) -> Generator[None]:
    """Foreign errors that leave the block are ours; `name` is the collection's, with its place."""
    try:
        yield
    except BaseException as error:
        # A panic in Lance's Rust code is a BaseException, and no Exception.
        if isinstance(error, RuntimeError | ValueError | OSError) or type(error).__name__ == "PanicException":
            raise translate(error, name) from error
        raise


def translate(error: BaseException, name: str) -> HeadraceError:
    """Our error, by its words; all else means damaged files."""
    whole = " ".join(_PLACES.sub("", str(error)).split()) or type(error).__name__
    said = re.search("<Message>(.*?)</Message>", whole)  # by a bucket, deep within Lance's own words
    kind, remedy = next(
        ((kind, remedy) for words, kind, remedy in _BY_WORDS if re.search(words, whole)),
        (ServiceError, scarcity(whole) or _DAMAGED),
    )
    text = said[1] if said else whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]}…"
    return kind(f"{name}: {text}; {remedy}")
