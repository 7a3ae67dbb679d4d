"""A collection that stays in step: one ordinary sync after the other, as soon as something has changed.

Local folders are watched, and a round then looks at the changed files alone; all else is listed regularly, and so are
these folders, for no system promises to tell of every change. Between rounds nothing but the folders and the model is
held, so other runs and readers find their turn.
"""

import time
from collections.abc import Generator, Mapping, Set
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from config.embedders import PaidEmbedder
from config.options import SyncOptions
from config.read import read_pipeline
from tasks.embed.open import open_embedder
from tasks.errors import CollectionError, ConfigError, HeadraceError
from tasks.generations import as_synced
from tasks.ledger.lookup import has_below, known_of
from tasks.load.base import Part, Source, Watchable
from tasks.load.files.watched import WatchedFolders
from tasks.load.paths import document_id
from tasks.records import DocumentId, Listing
from tasks.session import Session, open_collection, open_session
from tasks.sync.rebuild import Sync
from tasks.sync.report import Outcome, Report

POLL_SECONDS = 60.0
WHOLE_SECONDS = 600.0  # where every source is a watched folder
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """A round that came to nothing, and when the next one is tried."""

    error: HeadraceError
    seconds: float


class Tell(Protocol):
    """What is done with the outcome of each round."""

    def __call__(self, told: Report | Trouble, /, *, is_whole: bool) -> None:
        """`is_whole` unless the round looked at some documents alone."""
        ...


def watch(file: Path, every_seconds: float | None, sync: Sync, tell: Tell) -> None:
    """Go on until a signal ends it; a configuration that is wrong from the start is raised, later it is told.

    `every_seconds` is how often everything is listed, None for what suits the sources.
    """
    pause, has_begun = FIRST_PAUSE_SECONDS, False
    while True:
        try:
            with closing(_rounds(file, every_seconds, sync)) as rounds:
                for report, is_whole in rounds:
                    tell(report, is_whole=is_whole)
                    pause, has_begun = FIRST_PAUSE_SECONDS, True
        except HeadraceError as error:
            if isinstance(error, ConfigError | CollectionError) and not has_begun:
                raise
            tell(Trouble(error, pause), is_whole=True)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _rounds(file: Path, every_seconds: float | None, sync: Sync) -> Generator[tuple[Report, bool]]:
    """Until something else is to be opened than was."""
    pipeline = read_pipeline(file)
    with open_session(pipeline, choose=as_synced) as session, WatchedFolders(_folders(session)) as watched:
        session.store.close()  # each round opens its own
        is_watched = watched.names == session.sources.keys()
        every = every_seconds or (WHOLE_SECONDS if is_watched else POLL_SECONDS)
        due, opened = 0.0, _foundations(file, session)
        while True:
            changes = watched.wait(max(0.0, due - time.monotonic()))
            if opened != _foundations(file, session):
                return
            part = _part(session, changes)
            if part is None or time.monotonic() >= due:
                due = time.monotonic() + every
                yield _round(session, sync, session.sources), True
            elif any(source.list().only for source in part.values()):
                report = _round(session, sync, part)
                due = 0.0 if report.outcome is Outcome.WITHHELD else due  # what a person confirms is of all documents
                yield report, False


def _round(session: Session, sync: Sync, sources: Mapping[str, Source]) -> Report:
    """One ordinary sync of these; a limit to its money is its own, as with any other run."""
    pipeline = session.pipeline
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_collection(pipeline)))
        embedder = session.embedder
        if isinstance(pipeline.embedder, PaidEmbedder):
            embedder = stack.enter_context(closing(open_embedder(pipeline.embedder, pipeline.state)))
        return sync(replace(session, store=store, embedder=embedder, sources=sources), SyncOptions())


def _part(session: Session, changes: Mapping[str, Set[str]]) -> dict[str, Source] | None:
    """The sources, down to what has changed; None where that takes a listing of all."""
    part: dict[str, Source] = {
        name: Part(source, Listing(name, (), only=frozenset())) for name, source in session.sources.items()
    }
    canaries = {source.name for source in session.pipeline.sources if source.canary}
    for name, paths in changes.items():
        source = session.sources[name]
        narrowed = source.part(paths) if isinstance(source, Watchable) else None
        if narrowed is None:
            return None
        gone = {document_id(name, path) for path in paths} - {ref.id for ref in narrowed.list().refs}
        known = known_of(session.ledger, sorted(gone))
        if known and name in canaries:
            return None
        if any(has_below(session.ledger, DocumentId(f"{one}/")) for one in gone - known.keys()):
            return None
        part[name] = narrowed
    return part


def _folders(session: Session) -> dict[str, Path]:
    sources = {name: source for name, source in session.sources.items() if isinstance(source, Watchable)}
    return {name: folder for name, source in sources.items() if (folder := source.folder)}


def _foundations(file: Path, session: Session) -> tuple[object, ...]:
    """Configuration, live generation and folders; a file that an editor is replacing is told of when it is read."""
    live = session.registry.live()
    folders = [_stamp(folder)[:2] for folder in _folders(session).values()]
    return _stamp(file), live.number if live else session.pipeline.generation, folders


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns
