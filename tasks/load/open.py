"""The one place that knows the kinds of sources."""

from typing import assert_never

from config import sources
from tasks.load.base import Source


def open_source(config: sources.Source) -> Source:
    """Nothing is touched or contacted before the first listing."""
    match config:
        case sources.FilesSource():
            return _open_files(config)
        case _:
            assert_never(config)


def _open_files(config: sources.FilesSource) -> Source:
    """A local path, or any other place that fsspec reaches."""
    if "://" in config.path and not config.path.startswith("file://"):
        from tasks.load.files.remote import RemoteFiles

        return RemoteFiles(config)
    from tasks.load.files.local import Files

    return Files(config)
