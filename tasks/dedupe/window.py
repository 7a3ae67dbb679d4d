"""Finds what is new in one window: points to write, points to drop, and texts that nobody has paid for."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tasks.dedupe.cache import EmbeddingCache
from tasks.dedupe.identity import Identity, document_version, wanted_points
from tasks.dedupe.plan import Held, diff_points, trusted_hint
from tasks.ledger.ledger import KnownPoint, Ledger
from tasks.ledger.tables import LIVE
from tasks.records import Chunk, Document, DocumentRef, EmbeddingKey
from tasks.windows import Chunked, DocumentPlan, Failure, NewPoint, Planned


class Planner:
    """Reads the ledger and the cache, writes neither; one for each run."""

    def __init__(self, identity: Identity, ledger: Ledger, cache: EmbeddingCache, before: Held) -> None:
        """`before` is what the ledger knew when the run began."""
        self._identity = identity
        self._shape = identity.shape
        self._ledger = ledger
        self._cache = cache
        self._before = before
        self._origins: dict[str, set[str]] = {}

    def is_current(self, document: Document, /) -> bool:
        """Whether the collection has just this: a ledger that vouches for a version vouches for all of its points."""
        before = self._before.documents.get(document.ref.id)
        return (
            before is not None
            and before.version is not None
            and before.version == document_version(self._shape, document)
        )

    def plan_window(self, chunked: Chunked) -> Planned:
        """One plan or failure per document, and each unpaid text once."""
        documents = chunked.loaded.documents
        held = self._ledger.points([document.ref.id for document in documents])
        found = [
            self._plan_document(document, chunks, held.get(document.ref.id, []))
            for document, chunks in zip(documents, chunked.chunks, strict=True)
        ]
        plans = self._without_collapse([plan for plan in found if isinstance(plan, DocumentPlan)])
        plans += [self._plan_touched(ref) for ref in chunked.loaded.touched]
        failures = [
            replace(failure, hint=trusted_hint(self._shape, failure.hint)) for failure in chunked.loaded.failures
        ]
        failures += [failure for failure in found if isinstance(failure, Failure)]
        return Planned(chunked, plans, failures, self._unpaid(plans))

    def _plan_touched(self, ref: DocumentRef) -> DocumentPlan:
        """Only what the listing said of it is new."""
        before = self._before.documents[ref.id]
        return DocumentPlan(
            id=ref.id,
            source=ref.source,
            version=str(before.version),
            hint=trusted_hint(self._shape, ref.hint),
            put=(),
            doom=(),
            chunks=before.chunks,
            tokens=before.tokens,
            is_new=False,
            is_emptied=False,
            is_unchanged=True,
        )

    def _unpaid(self, plans: Iterable[DocumentPlan]) -> dict[EmbeddingKey, tuple[str, int]]:
        texts = {new.embedding: (str(new.payload["text"]), new.tokens) for plan in plans for new in plan.put}
        missing = self._cache.missing(texts)
        return {key: text for key, text in texts.items() if key in missing}

    def _plan_document(
        self, document: Document, chunks: Sequence[Chunk], held: Sequence[KnownPoint]
    ) -> DocumentPlan | Failure:
        """A Failure for a document that was refused as it is: nobody pays for it again."""
        ref = document.ref
        version = document_version(self._shape, document)
        hint = trusted_hint(self._shape, ref.hint)
        refusal = self._before.refusals.get(ref.id)
        if refusal is not None and refusal.version == version and not refusal.is_due:
            return Failure(ref.id, refusal.reason, refusal.message, hint, version)
        wanted = wanted_points(self._identity, document, chunks)
        diff = diff_points(list(wanted), held)
        put = tuple(
            NewPoint(
                id=point_id,
                key=key,
                embedding=wanted[key].embedding,
                tokens=wanted[key].chunk.tokens,
                payload=wanted[key].payload,
            )
            for key, point_id in diff.put.items()
        )
        before = self._before.documents.get(ref.id)
        return DocumentPlan(
            id=ref.id,
            source=ref.source,
            version=version,
            hint=hint,
            put=put,
            doom=diff.doom,
            chunks=len(chunks),
            tokens=sum(chunk.tokens for chunk in chunks),
            is_new=before is None,
            is_emptied=not chunks and any(point.state == LIVE for point in held),
            is_unchanged=before is not None and before.version == version and not put and not diff.doom,
        )

    def _without_collapse(self, plans: Sequence[DocumentPlan]) -> list[DocumentPlan]:
        """Mark documents that differed before and do not any more: in this window, or together with earlier ones."""
        changed: dict[str, str] = {}
        for plan in plans:
            known = self._before.documents.get(plan.id)
            if plan.chunks and known is not None and known.version not in (None, plan.version) and known.chunks:
                changed[plan.id] = str(known.version)
                self._origins.setdefault(plan.version, set()).add(str(known.version))
        collapsed = {plan.id for plan in plans if plan.id in changed and len(self._origins[plan.version]) > 1}
        return [replace(plan, is_collapsed=True) if plan.id in collapsed else plan for plan in plans]
