"""Finds what is new in one window: points to write, points to drop, and texts that nobody has paid for."""

from collections.abc import Mapping, Sequence

from tasks.dedupe.cache import EmbeddingCache
from tasks.dedupe.identity import Identity, document_version, payloads
from tasks.dedupe.ledger import KnownDocument, KnownPoint, Ledger
from tasks.dedupe.plan import diff_points, trusted_hint
from tasks.dedupe.tables import LIVE
from tasks.records import Chunk, Document, DocumentId, EmbeddingKey
from tasks.windows import Chunked, DocumentPlan, NewPoint, Planned


class Planner:
    """Reads the ledger and the cache, writes neither."""

    def __init__(
        self, identity: Identity, ledger: Ledger, cache: EmbeddingCache, known: Mapping[DocumentId, KnownDocument]
    ) -> None:
        """`known` is the ledger's list of documents as the run found it."""
        self._identity = identity
        self._ledger = ledger
        self._cache = cache
        self._known = known

    def plan_window(self, chunked: Chunked) -> Planned:
        """One plan per document, in order, and each unpaid text once."""
        documents = chunked.loaded.documents
        held = self._ledger.points([document.ref.id for document in documents])
        texts: dict[EmbeddingKey, tuple[str, int]] = {}
        plans: list[DocumentPlan] = []
        for document, chunks in zip(documents, chunked.chunks, strict=True):
            plan = self._plan_document(document, chunks, held.get(document.ref.id, []))
            plans.append(plan)
            texts.update((new.embedding, (new.payload["text"], new.tokens)) for new in plan.put)
        missing = self._cache.missing(texts)
        return Planned(chunked, plans, {key: text for key, text in texts.items() if key in missing})

    def _plan_document(self, document: Document, chunks: Sequence[Chunk], held: Sequence[KnownPoint]) -> DocumentPlan:
        wanted = payloads(self._identity, document, chunks)
        diff = diff_points(list(wanted), held)
        put = tuple(
            NewPoint(
                id=point_id,
                key=key,
                embedding=EmbeddingKey(bytes.fromhex(wanted[key][0]["headrace"]["embedding"])),
                tokens=wanted[key][1].tokens,
                payload=wanted[key][0],
            )
            for key, point_id in diff.put.items()
        )
        ref = document.ref
        before = self._known.get(ref.id)
        version = document_version(self._identity.shape, document)
        return DocumentPlan(
            id=ref.id,
            source=ref.source,
            version=version,
            hint=trusted_hint(self._identity.shape, ref.hint),
            put=put,
            doom=diff.doom,
            chunks=len(chunks),
            tokens=sum(chunk.tokens for chunk in chunks),
            is_new=before is None,
            is_emptied=not chunks and any(point.state == LIVE for point in held),
            is_unchanged=before is not None and before.version == version and not put and not diff.doom,
        )
