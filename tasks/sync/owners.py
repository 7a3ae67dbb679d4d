"""Whose is a collection? Two pipelines that are told the same one must not take each other for a lost one."""

import time

from tasks.errors import CollectionError
from tasks.ledger.marks import epoch_marked, last_mark, lineage
from tasks.records import Sentinel
from tasks.session import Session
from tasks.upsert.marks import SHARED


def stranger(session: Session, sentinel: Sentinel) -> str:
    """Who keeps the collection, in words, where that is somebody else; "" where it is ours.

    A ledger is known by its lineage, wherever it was moved to with its configuration. Another one is taken for the
    replacement of one that was lost only where the same pipeline in the same place has marked the collection last, and
    not since this one did: its first run may have died just before it left its mark in the store.
    """
    ledger = session.ledger
    if sentinel.lineage == SHARED:
        return "" if session.pipeline.store.shared else "several pipelines, which share it"
    own = last_mark(ledger)
    is_older = own is not None and sentinel.at <= own.at
    if sentinel.lineage == lineage(ledger):
        is_ours = is_older or sentinel.place in ("", session.place)
    else:
        same = (sentinel.place, sentinel.pipeline) == (session.place, session.pipeline.name)
        is_ours = same and (is_older or not epoch_marked(ledger))
    return "" if is_ours else _words(sentinel)


def refusal(session: Session, sentinel: Sentinel, owner: str) -> CollectionError:
    """Names both, and the ways out."""
    ledger = session.ledger
    own = Sentinel(lineage(ledger), epoch_marked(ledger), "", session.pipeline.name, session.place)
    copied = ", with a copy of this ledger" if sentinel.lineage == own.lineage else ""
    last = "" if sentinel.lineage == SHARED else ", or take it over for good: headrace sync CONFIG --take-over"
    return CollectionError(
        f"the collection is kept by {owner}{copied}, and not by {_words(last_mark(ledger) or own)}; name another"
        f" `collection` under `store`, share it by `shared: true` there in every pipeline{last}"
    )


def _words(mark: Sentinel) -> str:
    who = f"the pipeline {mark.pipeline!r} of {mark.place}" if mark.place else "a pipeline of an earlier version"
    when = time.strftime(" at %Y-%m-%d %H:%M:%S", time.localtime(mark.at)) if mark.at else ""
    return f"{who} (ledger {mark.lineage[:8]}, epoch {mark.epoch}{when})"
