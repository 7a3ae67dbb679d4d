"""The end of a run: what left the source, or lost its content there, leaves the store, if the guard agrees."""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from config.options import SyncOptions
from tasks.dedupe.near import lose_their_own
from tasks.ledger.departures import departed, remember_departure
from tasks.ledger.rows import KnownDocument
from tasks.ledger.tables import DOOMED, GONE
from tasks.load.paths import source_of
from tasks.records import DocumentId
from tasks.session import Session
from tasks.slices import slices
from tasks.sync.guard import Circumstances, Verdict, judge
from tasks.sync.listing import Shard, Survey
from tasks.sync.names import Move
from tasks.sync.report import Outcome, Report
from tasks.system.file_system import escaped
from tasks.upsert.window import put_points
from tasks.windows import DocumentChange, Spent

POINTS_PER_DELETE = 1000
MOST_SHOWN = 40  # characters of a page that stands in place of others

Place = tuple[str, str]  # source and version
Places = dict[Place, list[DocumentId]]


@dataclass(frozen=True, slots=True)
class Leavers:
    """`missing` documents are not listed any more; the others are, but their content is lost.

    `emptied` ones have none, `shrunk` ones have little left, `collapsed` ones used to differ and are nearly the same
    now; a document is in one of these. `cleared` ones looked as if they might, and are as good as any other change.

    `moved_in` counts by source missing ones whose content is listed under another name, one such name for each: in
    their source, or as a document that this run has found in another. `moves` names those that it knows by name.
    """

    missing: Sequence[DocumentId]
    emptied: Sequence[DocumentChange]
    shrunk: Sequence[DocumentChange]
    collapsed: Sequence[DocumentChange]
    cleared: Sequence[DocumentChange]
    moved_in: Mapping[str, int]
    moves: Sequence[Move] = ()

    @property
    def moved(self) -> int:
        """How many moved, in all sources together."""
        return sum(self.moved_in.values())

    @property
    def sources(self) -> set[str]:
        """Those that lose something."""
        return {source_of(document) for document in self.documents}

    def within(self, sources: Container[str]) -> "Leavers":
        """The part of it that these sources lose."""
        kept: dict[str, Any] = {
            one.name: [item for item in getattr(self, one.name) if source_of(_document(item)) in sources]
            for one in fields(self)
        }
        moved_in = {source: count for source, count in self.moved_in.items() if source in sources}
        return replace(self, **{**kept, "moved_in": moved_in})

    @property
    def listed(self) -> Sequence[DocumentChange]:
        """Those that the sources still list, and that lose their content."""
        return [*self.emptied, *self.shrunk, *self.collapsed]

    @property
    def documents(self) -> list[DocumentId]:
        """All of them."""
        return [*self.missing, *(change.id for change in self.listed)]


class Losses:
    """Gathers, window by window, what the end of the run has to decide about."""

    def __init__(self, survey: Survey) -> None:
        """What is known before the first window."""
        self._lost = survey.lost
        self._gone: Places = defaultdict(list)
        for document, known in survey.lost.items():
            if known.version:
                self._gone[known.source, known.version].append(document)
        self._contents = {version for _, version in self._gone}
        self._new: Places = defaultdict(list)
        self._stays: Places = defaultdict(list)
        self._changes: list[DocumentChange] = []
        self._before: dict[DocumentId, str | None] = {}  # the versions of what waits for the end
        self._known: Mapping[DocumentId, KnownDocument] = {}
        self._there: Counter[Place] = Counter()

    def begin(self, shard: Shard) -> None:
        """The windows of a shard follow."""
        known = self._known = shard.known.documents
        for ref in shard.changes.unchanged if self._gone else ():
            if (version := known[ref.id].version) in self._contents:
                self._stays[ref.source, str(version)].append(ref.id)
                self._there[ref.source, str(version)] += 1

    def see(self, changes: Iterable[DocumentChange]) -> None:
        """Those of one window."""
        for change in changes:
            if change.waits:
                self._changes.append(change)
                known = self._known.get(change.id)
                self._before[change.id] = known.version if known else None
            elif change.version in self._contents:
                self._there[change.source, change.version] += 1
                places = self._new if change.is_new else self._stays
                places[change.source, change.version].append(change.id)

    def leavers(self) -> Leavers:
        """The documents that go, known after the last window."""
        emptied = [change for change in self._changes if change.is_emptied]
        collapsed = self._collapsed()
        counted = {change.id for change in [*emptied, *collapsed]}
        shrunk = [change for change in self._changes if change.is_shrunk and change.id not in counted]
        shrunk = list(lose_their_own(shrunk))
        counted.update(change.id for change in shrunk)
        cleared = [change for change in self._changes if change.id not in counted]
        self._there.update((change.source, change.version) for change in cleared if change.version in self._contents)
        return Leavers([*self._lost], emptied, shrunk, collapsed, cleared, self._moved(), self._moves())

    def _collapsed(self) -> list[DocumentChange]:
        """Documents that are nearly the same now and were not before."""
        alike: dict[DocumentId, list[DocumentChange]] = defaultdict(list)
        for change in self._changes:
            if change.like is not None:
                alike[change.like].append(change)
        before = self._before  # one that is half written has no version
        groups = [group for group in alike.values() if len({before[one.id] or one.id for one in group}) > 1]
        return [change for group in sorted(groups, key=len, reverse=True) for change in lose_their_own(group)]

    def _moved(self) -> dict[str, int]:
        """A copy that another source has had for long is no proof of a move."""
        gone, new = (Counter({place: len(ids) for place, ids in places.items()}) for places in (self._gone, self._new))
        within = gone & self._there
        arrived = _by_content(new - within)
        moved: Counter[str] = Counter()
        for (source, version), count in gone.items():
            inside = within[source, version]
            elsewhere = min(count - inside, arrived[version])
            arrived[version] -= elsewhere
            moved[source] += inside + elsewhere
        return moved

    def _moves(self) -> list[Move]:
        """Each new document once, with one that left: of its own source, where there is one. Empty ones have not."""
        gone = {place: ids for place, ids in self._gone.items() if self._lost[ids[0]].chunks}
        moves = _pairs(gone, self._new)
        paired = {document for move in moves for document in move}
        moves += _pairs(_without(gone, paired), _without(self._new, paired))
        named = {move.old for move in moves}
        rest = {place: [document for document in ids if document not in named] for place, ids in gone.items()}
        return moves + _pairs(rest, self._stays)  # found by an earlier run, whose deletions were withheld


def _pairs(gone: Mapping[Place, Sequence[DocumentId]], new: Mapping[Place, Sequence[DocumentId]]) -> list[Move]:
    return [Move(*pair) for place, ids in gone.items() for pair in zip(ids, new.get(place, ()), strict=False)]


def _without(places: Mapping[Place, Sequence[DocumentId]], paired: Container[DocumentId]) -> Places:
    """The others, as if all of them had one source."""
    rest: Places = defaultdict(list)
    for (_, version), ids in places.items():
        rest["", version] += [document for document in ids if document not in paired]
    return rest


def _by_content(documents: Counter[tuple[str, str]]) -> Counter[str]:
    versions: Counter[str] = Counter()
    for (_, version), count in documents.items():
        versions[version] += count
    return versions


def weigh(session: Session, leavers: Leavers, survey: Survey, options: SyncOptions) -> Verdict:
    """Ask the guard about all kinds of loss together."""
    lost = departed(session.ledger, session.clock())
    emptied = {survey.lost[document].source for document in leavers.missing}
    silent = tuple(name for name in survey.silent if name in emptied)
    known_in_all, listed = survey.known.total() + survey.others, survey.listed + survey.others
    now = Circumstances(known_in_all, listed, lost, leavers.moved, silent)
    return judge(leavers.documents, now, session.pipeline.deletions, options.confirm_deletes)


def _document(item: DocumentId | DocumentChange | Move) -> DocumentId:
    if isinstance(item, Move):
        return item.old
    return item.id if isinstance(item, DocumentChange) else item


def count_withheld(leavers: Leavers, verdict: Verdict, report: Report, options: SyncOptions) -> None:
    """Put into the report what the guard did not let through, and how it can be."""
    _count_moves(leavers, report)
    report.documents.withheld = len(leavers.documents)
    report.names.add(report.names.withheld, _moved_last(leavers.documents, leavers))
    report.documents.held += len(leavers.listed)
    report.documents.served_old += len(leavers.listed)
    report.outcome = Outcome.WITHHELD
    command = "rebuild" if options.rebuild else "sync"
    report.notes.append(
        f"deletions withheld: {verdict.reason}{kinds(leavers)}; none of them was deleted."
        f" If they are meant, run {command} with --confirm-deletes {verdict.plan_hash}"
    )


def count_deletions(leavers: Leavers, points: int, report: Report, spent: Spent) -> None:
    """Put into the report what the guard let through; `points` were those of the missing documents."""
    _count_moves(leavers, report)
    report.documents.deleted += len(leavers.missing)
    report.names.add(report.names.deleted, _moved_last(leavers.missing, leavers))
    report.chunks.removed += points
    report.count_changes(leavers.listed, spent)


def _count_moves(leavers: Leavers, report: Report) -> None:
    report.documents.moved += len(leavers.moves)
    report.names.add(report.names.moved, leavers.moves)


def _moved_last(documents: Iterable[DocumentId], leavers: Leavers) -> list[DocumentId]:
    """What is truly lost comes first, where not all of them are kept."""
    moved = {move.old for move in leavers.moves}
    return sorted(documents, key=lambda document: document in moved)


def kinds(leavers: Leavers) -> str:
    """Where a loss is not plain absence, the person should know what to look at."""
    told = [f"{leavers.moved} more have moved: the same content is listed under another name"] if leavers.moved else []
    if leavers.emptied:
        told.append(f"{len(leavers.emptied)} became empty")
    if leavers.shrunk:
        count = len(leavers.shrunk)
        told.append(f"{count} would keep less than a third of their text, see {leavers.shrunk[0].id}")
    if leavers.collapsed:
        count, one = len(leavers.collapsed), leavers.collapsed[0]
        text = next((" ".join(new.payload["text"].split()) for new in one.put), "")
        begins = f": {escaped(text[:MOST_SHOWN])!r}" if text else ""
        told.append(f"{count} that used to differ would have nearly the same content{begins}, see {one.id}")
    return f" ({', '.join(told)})" if told else ""


def carry_out(session: Session, leavers: Leavers, verdict: Verdict) -> None:
    """Doom what the guard let through; what nobody confirmed is remembered for the next days.

    A store that fails loses nothing, so there is nothing to remember before it has taken what it is to take.
    """
    put_points(session.store, session.ledger, session.cache, leavers.listed)
    lost = len(leavers.documents) - leavers.moved
    if lost and not verdict.is_confirmed:
        remember_departure(session.ledger, lost, session.clock())
    if leavers.missing:
        session.ledger.drop(leavers.missing)
    if leavers.listed:
        session.ledger.flip(leavers.listed)


def reap(session: Session, before_writing: Callable[[], None]) -> None:
    """Delete doomed points from the store; forget them only when they are proven absent after the grace time.

    A request of a dead process may land after our delete: what came back is deleted again, and its grace time restarts.
    """
    store, ledger, now = session.store, session.ledger, session.clock()
    ledger.correct(now)
    earlier = ledger.leaving(GONE, before=now)
    doomed = ledger.leaving(DOOMED)
    if doomed or earlier:
        before_writing()
    for part in slices(doomed, POINTS_PER_DELETE):
        store.delete([point for _, point in part])
        ledger.mark_gone(part, now)
    if not earlier:
        return
    back = store.present([point for _, point in earlier])
    if back:
        store.delete(list(back))
    ripe = ledger.leaving(GONE, before=now - session.grace_seconds)
    absent = [owned for owned in ripe if owned[1] not in back]
    ledger.forget_absent(absent, [owned for owned in earlier if owned[1] in back], now)
