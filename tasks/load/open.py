"""The one place that knows the kinds of sources."""

from pathlib import Path
from typing import assert_never

from config import sources
from config.source_sections import PathsSection, ScansSection
from tasks.errors import ConfigError
from tasks.load.base import Source
from tasks.load.parse.formats import DEFAULT_PATTERNS, IMAGE_PATTERNS
from tasks.system.file_system import user_cache


def open_source(config: sources.Source, *, images: bool = False, beside: Path | None = None) -> Source:
    """The source that a configuration names; nothing is touched or contacted before the first listing.

    `images`: the model sees, and pictures are among what it includes by default. What saves it time is kept
    in the folder of the file `beside`, if there is one.
    """
    languages = config.languages if isinstance(config, ScansSection) else ""
    if images and languages:
        raise ConfigError(
            f"source {config.name!r} has `ocr: {languages}`, which makes text of pictures, and the model sees pictures;"
            " leave `ocr` out, or take a model of text"
        )
    if (images or languages) and isinstance(config, PathsSection) and config.include is None:
        config = config.model_copy(update={"include": (*DEFAULT_PATTERNS, *IMAGE_PATTERNS)})
    match config:
        case sources.FilesSource():
            return _open_files(config)
        case sources.GitSource():
            from tasks.load.git.source import GitFiles

            return GitFiles(config, (beside.parent if beside else user_cache()) / "git")
        case sources.WebSource():
            from tasks.load.web.pages import WebPages

            return WebPages(config)
        case sources.MailSource():
            from tasks.load.mail import MailFiles

            return MailFiles(config)
        case sources.SqlSource():
            from tasks.load.sql.source import SqlRows

            return SqlRows(config)
        case sources.TableSource():
            from tasks.load.table import TableRows

            return TableRows(config)
        case sources.PythonSource():
            from tasks.load.python import PythonDocuments

            return PythonDocuments(config)
        case _:
            assert_never(config)


def _open_files(config: sources.FilesSource) -> Source:
    """A local path, a web server, or any other place that fsspec reaches, such as an archive on one."""
    match _schemes(config.path):
        case ["file", *_]:
            from tasks.load.files.local import Files

            return Files(config)
        case ["http" | "https"]:
            from tasks.load.web.site import WebFiles

            return WebFiles(config)
        case _:
            from tasks.load.files.remote import RemoteFiles

            return RemoteFiles(config)


def _schemes(path: str) -> list[str]:
    """The schemes of a chain of URLs, such as zip and https; `file` for a path that is no URL."""
    if "://" not in path:
        return ["file"]
    from tasks.load.web.address_guard import links_of

    return [link.partition("://")[0] for link in links_of(path)]
