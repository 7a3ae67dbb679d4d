"""Known wrong orders, planted into the real code: the enumeration has to notice every one of them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tasks.dedupe import diff as planning
from tasks.dedupe import window as deduping
from tasks.dedupe.cache import EmbeddingCache
from tasks.dedupe.identity import document_version, point_id
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import DOOMED
from tasks.records import Points
from tasks.runners import chain
from tasks.sync import run as order
from tasks.upsert import window as writing
from tasks.windows import DocumentChange, Written

Plant = Callable[[pytest.MonkeyPatch], None]


def no_dirty(patch: pytest.MonkeyPatch) -> None:
    """The intent leaves the document at its old version."""
    soil = (
        "INSERT INTO document (id, source, version, hint, chunks, tokens) VALUES (?, ?, NULL, '', 0, 0)"
        " ON CONFLICT (id) DO NOTHING"
    )
    patch.setattr("tasks.ledger.ledger._SOIL_DOCUMENT", soil)


def no_intent(patch: pytest.MonkeyPatch) -> None:
    """The store is written before the ledger knows."""
    patch.setattr(Ledger, "intend", lambda self, plans: None)


def live_before_upsert(patch: pytest.MonkeyPatch) -> None:
    """The flip does not wait for the acknowledgement."""
    real = writing.write_window

    def wrong(store: Any, ledger: Any, cache: Any, embedded: Any) -> Written:
        ledger.flip([plan for plan in embedded.deduped.changes if not plan.is_emptied])
        return real(store, ledger, cache, embedded)

    patch.setattr(chain, "write_window", wrong)


def delete_first(patch: pytest.MonkeyPatch) -> None:
    """Old points leave the store before the new ones are in."""
    real = writing.write_window

    def wrong(store: Any, ledger: Any, cache: Any, embedded: Any) -> Written:
        doomed = [point for plan in embedded.deduped.changes for point in plan.doom if not plan.is_emptied]
        if doomed:
            store.delete(doomed)
        return real(store, ledger, cache, embedded)

    patch.setattr(chain, "write_window", wrong)


def split_flip(patch: pytest.MonkeyPatch) -> None:
    """The new points become LIVE in one transaction, the old ones DOOMED in another."""
    real = Ledger.flip

    def wrong(self: Ledger, plans: Sequence[DocumentChange]) -> None:
        real(self, [_replaced(plan, doom=()) for plan in plans])
        with self.fenced("doom") as connection:
            for plan in plans:
                for point in plan.doom:
                    connection.execute(
                        "UPDATE point SET state = 'DOOMED' WHERE document = ? AND id = ?", (plan.id, point)
                    )

    patch.setattr(Ledger, "flip", wrong)


def forget_before_delete(patch: pytest.MonkeyPatch) -> None:
    """The ledger forgets a point before the store has deleted it."""

    def wrong(session: Any, before_writing: Any) -> None:
        store, ledger = session.store, session.ledger
        doomed = ledger.leaving(DOOMED)
        if doomed:
            before_writing()
            ledger.mark_gone(doomed, -1e9)
            ledger.forget_absent(doomed, [], 0.0)
            store.delete([point for _, point in doomed])

    patch.setattr(order, "reap", wrong)


def no_grace(patch: pytest.MonkeyPatch) -> None:
    """A deleted point is forgotten at once."""

    def wrong(session: Any, before_writing: Any) -> None:
        store, ledger, now = session.store, session.ledger, session.clock()
        doomed = ledger.leaving(DOOMED)
        if doomed:
            before_writing()
            store.delete([point for _, point in doomed])
            ledger.mark_gone(doomed, now)
            ledger.forget_absent(doomed, [], now)

    patch.setattr(order, "reap", wrong)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """An overtaken run goes on committing."""
    patch.setattr(Ledger, "_check", lambda self, *_: None)


def late_cache(patch: pytest.MonkeyPatch) -> None:
    """Paid vectors are kept in memory until the window is done."""
    held: list[tuple[Any, Any, Any]] = []
    real = chain.embed_window

    def wrong(embedder: Any, cache: Any, fence: Any, planned: Any, spent: Any) -> Any:
        held.clear()

        class Later:
            missing = cache.missing

            def put(self, keys: Any, vectors: Any, tokens: Any) -> None:
                held.append((keys, vectors, tokens))

        done = real(embedder, Later(), fence, planned, spent)
        for part in held:
            cache.put(*part)
        return done

    patch.setattr(chain, "embed_window", wrong)


def text_only_version(patch: pytest.MonkeyPatch) -> None:
    """A document's version does not see its metadata, and equal versions are skipped."""
    real = deduping.Differ._diff_document

    def wrong(self: Any, document: Any, chunks: Any, held: Any) -> DocumentChange:
        bare = type(document)(document.ref, document.text, document.format, document.language, {})
        version = document_version("", bare)
        plan = real(self, document, chunks, held)
        known = self._before.documents.get(document.ref.id)
        if known is not None and known.version == version:
            return _replaced(plan, put=(), doom=(), version=version)
        return _replaced(plan, version=version)

    patch.setattr(deduping.Differ, "_diff_document", wrong)


def reuse_id(patch: pytest.MonkeyPatch) -> None:
    """A text that comes back gets the id it had before."""
    patch.setattr(planning, "_free_id", lambda key, used: point_id(key, 0))


def hint_before_flip(patch: pytest.MonkeyPatch) -> None:
    """The document is at its version before its points are written."""
    real = Ledger.intend

    def wrong(self: Ledger, plans: Sequence[DocumentChange]) -> None:
        real(self, plans)
        with self.fenced("early") as connection:
            for plan in plans:
                connection.execute(
                    "UPDATE document SET version = ?, hint = ? WHERE id = ?", (plan.version, plan.hint, plan.id)
                )

    patch.setattr(Ledger, "intend", wrong)


def partial_listing(patch: pytest.MonkeyPatch) -> None:
    """What a failed scope hides counts as missing."""
    patch.setattr(planning, "within", lambda documents, failed: ())


def half_a_document(patch: pytest.MonkeyPatch) -> None:
    """A document is written without the chunk that the provider refused."""
    patch.setattr(writing, "_refusal", lambda plan, rejected: None)

    def wrong(put: Sequence[Any], cache: Any) -> Points:
        vectors = cache.get([new.embedding for new in put])
        whole = [new for new in put if new.embedding in vectors]
        rows = vectors.matrix([new.embedding for new in whole])
        return Points([new.id for new in whole], rows, [new.payload for new in whole])

    patch.setattr(writing, "_with_vectors", wrong)


def vectors_out_of_order(patch: pytest.MonkeyPatch) -> None:
    """Vectors are kept in the order in which they came, not in that of their texts."""
    real = EmbeddingCache.put
    patch.setattr(EmbeddingCache, "put", lambda self, keys, vectors, tokens: real(self, keys, vectors[::-1], tokens))


def _replaced(plan: DocumentChange, **changes: Any) -> DocumentChange:
    return dataclasses.replace(plan, **changes)


MUTANTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        partial_listing,
        half_a_document,
        vectors_out_of_order,
        no_dirty,
        no_intent,
        live_before_upsert,
        delete_first,
        split_flip,
        forget_before_delete,
        no_grace,
        no_fence,
        late_cache,
        text_only_version,
        reuse_id,
        hint_before_flip,
    )
}
