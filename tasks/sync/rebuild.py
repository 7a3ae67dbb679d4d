"""A new generation beside the live one, and the switch to it; or back to the one before.

To build a generation is to sync it, so all that holds for a sync holds here, and a killed build goes on from where it
stopped. Nothing touches the live one: it is read, and synced by others, until one transaction makes the new one live.
"""

import logging
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from config.options import SyncOptions
from config.pipeline import Pipeline
from config.recorded import as_recorded, recorded_settings, shape
from tasks.database.address import sqlite_path
from tasks.errors import BudgetError, CollectionError, ConfigError, HeadraceError, ServiceError
from tasks.evaluate.judgments import check_files
from tasks.generations import as_given, as_live, as_synced, publish
from tasks.ledger.generations import BUILDING, KEPT, LEAVING, Generation, Registry
from tasks.ledger.ledger import Ledger
from tasks.ledger.marks import epoch_marked
from tasks.session import Session, open_ledger, open_session
from tasks.sync.decision import decide
from tasks.sync.deletions import kinds, weigh
from tasks.sync.gate import weigh_quality
from tasks.sync.generations import complete_switch
from tasks.sync.plan import eta_seconds, plan_sync
from tasks.sync.report import Outcome, Report
from tasks.sync.switch import Switch
from tasks.upsert.open import open_store

RESERVE_BYTES = 64 << 20
MOST_NUMBERS = 100  # names of collections that are tried, where others have them

Sync = Callable[[Session, SyncOptions], Report]  # one run, shown to whoever watches

_log = logging.getLogger("headrace")


def sync_or_rebuild(pipeline: Pipeline, options: SyncOptions, sync: Sync) -> Report:
    """What `options` ask for."""
    return rebuild(pipeline, options, sync) if options.rebuild else _sync_live(pipeline, options, sync)


def rebuild(pipeline: Pipeline, options: SyncOptions, sync: Sync) -> Report:
    """Build what the configuration says, and make it the live generation where nothing speaks against it.

    An unfinished one with the same settings is gone on with; one with others is thrown away. Where nothing was built
    yet, this is a sync.
    """
    with closing(open_ledger(pipeline)) as first:
        return _Rebuild(pipeline, options, sync, first).run()


def rollback(pipeline: Pipeline, options: SyncOptions, sync: Sync) -> Report:
    """Make the generation the live one that was so before, at once; then sync it as it was built."""
    with closing(open_ledger(pipeline)) as first:
        registry = Registry(first.database)
        previous = registry.previous()
        if previous is None:
            raise ConfigError(f"{pipeline.name!r} has no generation to go back to; `headrace generations` lists them")
        meant = pipeline.as_generation(previous.number)
        with closing(open_store(meant.store, meant.name)) as store:
            if store.sentinel() is None:
                raise ConfigError(
                    f"the collection of generation {previous.number} is gone; `headrace rebuild` makes one"
                )
        registry.switch(previous.number, KEPT, overrules=shape(pipeline))
    with open_session(pipeline, choose=as_live, max_usd=options.max_usd) as session:
        notes = complete_switch(session)
        try:
            report = sync(session, options)
        except HeadraceError as error:
            report = Report(pipeline.name, generation=previous.number, outcome=Outcome.PARTIAL)
            notes.append(f"generation {previous.number} is live, but what changed since is not in it yet: {error}")
    report.switched = True
    report.notes += notes
    return report


def _sync_live(pipeline: Pipeline, options: SyncOptions, sync: Sync) -> Report:
    with open_session(pipeline, choose=as_synced, max_usd=options.max_usd, take_over=options.take_over) as session:
        return sync(session, options)


class _Rebuild:
    """One rebuild; `first` is the first generation's ledger."""

    def __init__(self, pipeline: Pipeline, options: SyncOptions, sync: Sync, first: Ledger) -> None:
        self._pipeline = pipeline
        self._options = options
        self._sync = sync
        self._first = first
        self._registry = Registry(first.database)
        self._notes: list[str] = []

    def run(self) -> Report:
        live = self._live()
        if live is None or self._is_to_be_ended(live):
            report = _sync_live(self._pipeline, self._options, self._sync)
            report.switched = live is not None
            return report
        target = self._pipeline.as_generation(self._number())
        self._check(live, target)
        with open_session(target, choose=as_given, read_only=True) as session:
            self._registry.begin(target.generation, recorded_settings(target), session.space.fingerprint)
        report = self._build(target)
        if report.outcome in (Outcome.DONE, Outcome.PARTIAL) and not report.unlisted:
            report = self._catch_up(live, target, report)
        if report.switched:
            with open_session(target, choose=as_given) as session:
                self._registry.switch(target.generation, BUILDING)
                self._notes += complete_switch(session)
        else:
            self._notes.append(
                f"generation {target.generation} is not live; `headrace rebuild` goes on with it, and generation"
                f" {live.number} is read meanwhile"
            )
        report.notes += self._notes
        return report

    def _live(self) -> Generation | None:
        """A ledger of the time before generations has one, whose settings nobody kept."""
        if self._registry.live() is None and epoch_marked(self._first):
            self._registry.record(1, None, "")
        return self._registry.live()

    def _is_to_be_ended(self, live: Generation) -> bool:
        """Whether a killed process had switched to what the configuration says, and left the rest to be done."""
        is_whole = live.is_published and not any(one.state == LEAVING for one in self._registry.generations())
        wanted = recorded_settings(self._pipeline)["search"]
        is_meant = self._shape(live) == shape(self._pipeline) and (live.settings or {}).get("search") == wanted
        return live.number > 1 and not is_whole and is_meant

    def _shape(self, one: Generation) -> str:
        return "" if one.settings is None else shape(as_recorded(self._pipeline, one.settings))

    def _number(self) -> int:
        for one in self._registry.generations():
            if one.state == BUILDING and self._shape(one) == shape(self._pipeline):
                return one.number
            if one.state == BUILDING:
                self._registry.leave(one.number)
                self._notes.append(f"generation {one.number} was begun with other settings, and is thrown away")
        first = self._registry.next_number()
        for number in range(first, first + MOST_NUMBERS):
            meant = self._pipeline.as_generation(number)
            with closing(open_store(meant.store, meant.name)) as store:
                if store.sentinel() is None and not store.count():
                    return number
        raise CollectionError(
            f"all collections from {self._pipeline.as_generation(first).collection!r} on are somebody else's; name"
            " another `collection` under `store`"
        )

    def _check(self, live: Generation, target: Pipeline) -> None:
        """Raise before anything is paid for where money, room or a right is missing."""
        if sqlite_path(self._pipeline.state) is None and not self._first.database.is_shared:
            raise ConfigError("`state` is in memory, so no generation would be found again; name a file or a server")
        if self._pipeline.store.shared:
            raise ConfigError(
                "the collection is shared with other pipelines (`shared` under `store`); give this one its own"
            )
        if quality := self._pipeline.quality:
            check_files(quality.queries, quality.qrels, quality.spans)
        with open_session(self._pipeline, choose=as_live, read_only=True) as session:
            tokens = sum(document.tokens for document in session.ledger.documents().values())
            seconds = eta_seconds(session.ledger, tokens, session.ledger.counts().live)
            place = session.store.place(self._pipeline.live_name)
            if session.store.sentinel() is not None:
                publish(session.store, session.pipeline)  # where it leads already: shows whether we may
            size, dimension = place.size_bytes or 0, session.space.dimension if live.settings else 0
        cost_usd = 0.0
        with open_session(target, choose=as_given, max_usd=self._options.max_usd, read_only=True) as session:
            session.embedder.check()
            size = int(size * max(1.0, session.space.dimension / dimension if dimension else 1.0))
            if session.embedder.usd_per_million_tokens:
                report = plan_sync(session, SyncOptions(), _Unseen()).report
                tokens, cost_usd = report.tokens.embedded, report.cost_usd
                if report.outcome is Outcome.BUDGET:
                    raise BudgetError(f"nothing was built: {report.notes[-1]}")
        _require_room(place.address, size)
        _log.info(
            "generation %d: about %s tokens%s%s, %s MB in the store",
            target.generation,
            f"{tokens:,}",
            f" for ${cost_usd:,.4f}" if cost_usd else "",
            f", {seconds:,.0f} s of embedding at the pace of the live one" if seconds else "",
            f"{size >> 20:,}",
        )

    def _build(self, target: Pipeline) -> Report:
        with open_session(target, choose=as_given, max_usd=self._options.max_usd) as session:
            return self._sync(session, self._options)

    def _catch_up(self, live: Generation, target: Pipeline, report: Report) -> Report:
        """What changed during the build; whether to switch is weighed on what there is then."""
        left = None if self._options.max_usd is None else max(self._options.max_usd - report.cost_usd, 0.0)
        with open_session(target, choose=as_given, max_usd=left) as session:
            report.add(self._sync(session, self._options))
            if report.outcome in (Outcome.DONE, Outcome.PARTIAL) and not report.unlisted:
                report.switched = self._may_switch(live, session, report) and self._answers_well(session, report)
        return report

    def _may_switch(self, live: Generation, new: Session, report: Report) -> bool:
        """To readers a switch deletes and changes what only the live one has, so the guard has to agree."""
        meant = self._pipeline.as_generation(live.number)
        with closing(open_ledger(meant)) as ledger:
            switch = Switch(ledger, new.ledger, lambda: open_store(meant.store, meant.name))
            (leavers, survey), before = switch.losses(), replace(new, ledger=ledger)
            whole = weigh(before, leavers, survey, self._options)
            reasons = [one.reason for _, one in decide(before, leavers, survey, self._options) if not one.allowed]
        report.plan_hash = whole.plan_hash
        failed = sorted(new.ledger.quarantine_entries().keys() & set(leavers.missing))
        if whole.is_confirmed or not (reasons or failed):
            return True
        if not failed:
            report.outcome = Outcome.WITHHELD
            report.documents.withheld = len(leavers.documents)
            report.names.add(report.names.withheld, leavers.documents)
        why = f"{len(failed)} are quarantined, {failed[0]} for one" if failed else "; ".join(reasons)
        self._notes.append(
            f"not switched: {len(leavers.documents)} documents of the live generation would not be found as they are in"
            f" the new one: {why}{kinds(leavers)}. If that is meant, run rebuild with --confirm-deletes"
            f" {whole.plan_hash}"
        )
        return False

    def _answers_well(self, new: Session, report: Report) -> bool:
        """Whether it may be read, by the queries of the configuration; one that is worse needs to be forced."""
        verdict = weigh_quality(self._pipeline, new)
        if verdict is None:
            return True
        forced = verdict.is_worse and self._options.force
        report.quality = {**verdict.comparison, "forced": forced}
        self._registry.judge(new.pipeline.generation, verdict.sentence + (", forced" if forced else ""))
        self._notes.append(f"generation {new.pipeline.generation}: {verdict.sentence}")
        if verdict.is_worse and not forced:
            report.outcome = Outcome.WITHHELD
            self._notes.append("not switched: it answers worse; if that is meant, run rebuild with --force")
        return forced or not verdict.is_worse


def _require_room(address: str, size_bytes: int) -> None:
    """Two generations lie beside each other; of a server's disk nothing is known."""
    with suppress(OSError):
        free = shutil.disk_usage(address).free if Path(address).is_dir() else None
        if free is not None and free < size_bytes + RESERVE_BYTES:
            raise ServiceError(
                f"the disk of {address} has {free >> 20} MB left, and another generation needs about"
                f" {(size_bytes + RESERVE_BYTES) >> 20} MB; free some space, or drop one: `headrace generations`"
            )


class _Unseen:
    """Progress that nobody watches."""

    def begin(self, documents: int, size_bytes: int, look: Callable[[], Report], /) -> None:
        """Nothing is shown."""

    def advance(self, documents: int, /) -> None:
        """Nothing is shown."""
