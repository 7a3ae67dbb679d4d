"""The one place that knows the kinds of sources."""

from config import schema
from tasks.load.base import Source


def open_source(config: schema.Source) -> Source:
    """A local path, or any other place that fsspec reaches."""
    if "://" in config.path and not config.path.startswith("file://"):
        from tasks.load.remote import RemoteFiles

        return RemoteFiles(config)
    from tasks.load.files import Files

    return Files(config)
