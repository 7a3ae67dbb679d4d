"""Whose is a collection, or a ledger? Two pipelines that are told the same must not take each other for a lost one."""

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from config.fields import Section, public_url
from tasks.errors import CollectionError, ConfigError
from tasks.ledger.marks import epoch_marked, keeper, last_mark, lineage, remember_keeper
from tasks.records import Sentinel
from tasks.session import Session
from tasks.upsert.marks import SHARED

# What of a section says where it is, and not what is done with it.
_PLACES = {
    *("kind", "name", "path", "url", "query", "function", "repository", "sitemap", "pages", "start"),
    *("collection", "schema_name", "tenant", "database", "index", "host"),
}


def require_no_namesake(session: Session, *, take_over: bool = False) -> None:
    """CollectionError where another pipeline of this name works with this ledger: each would delete the other's.

    On a server a pipeline is found by its name. A configuration may move to another machine or file, and be edited, but
    hardly both at once: one from elsewhere that writes to another collection, or reads other sources, is another one.
    """
    ledger = session.ledger
    before, now = keeper(ledger), _keeper(session)
    if not ledger.database.is_shared or before is None or take_over or before["place"] == now["place"]:
        return
    places = [set(one["sources"]) for one in (before, now)]
    is_file = before["place"].partition(":")[2] == now["place"].partition(":")[2]
    is_edited = bool(places[0] & places[1]) if is_file else places[0] <= places[1]
    if before["collection"] == now["collection"] and is_edited:
        return
    other = "another collection" if before["collection"] != now["collection"] else "other sources"
    raise CollectionError(
        f"the ledger {ledger.database.name} is that of the pipeline {session.pipeline.name!r} of {before['place']},"
        f" and {now['place']} has {other} under the same name; give one of them another `name`, or another database"
        " under `state`; if this one takes its place: headrace sync CONFIG --take-over"
    )


def require_shards(session: Session) -> None:
    """ConfigError where the ledger is spread otherwise than the configuration says: documents would not be found."""
    made, wanted = session.ledger.shard_count, session.pipeline.shards
    if made != wanted:
        raise ConfigError(
            f"`shards` is {wanted}, and the ledger {session.ledger.database.name} was made with {made}; set `shards:"
            f" {made}`, or run `headrace rebuild`: it makes a new generation with {wanted}, and what is in the cache is"
            " not paid for again"
        )


def keep_place(session: Session) -> None:
    """Note who works with the ledger; called with the lease."""
    if session.ledger.database.is_shared and keeper(session.ledger) != (now := _keeper(session)):
        remember_keeper(session.ledger, now)


def _keeper(session: Session) -> Mapping[str, Any]:
    pipeline = session.pipeline
    sources = sorted(_digest(source, "") for source in pipeline.sources)
    return {"place": session.place, "collection": _digest(pipeline.store, pipeline.collection), "sources": sources}


def _digest(section: Section, name: str) -> str:
    """Without passwords, which change, and are not to be kept."""
    told = section.model_dump(mode="json", include=_PLACES)
    shown = {key: public_url(value) if isinstance(value, str) else value for key, value in told.items()}
    return hashlib.sha256(json.dumps([name, shown], sort_keys=True).encode()).hexdigest()[:16]


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
