"""Finds what is new in one window: points to write, points to drop, and texts that nobody has paid for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from tasks.dedupe.cache import EmbeddingCache
from tasks.dedupe.diff import Known, diff_points, is_told_by_embeddings, trusted_hint
from tasks.dedupe.identity import Identity, Wanted, document_version, wanted_points
from tasks.dedupe.near import Groups, pairs_of, sample, without
from tasks.ledger.ledger import KnownPoint, Ledger
from tasks.ledger.lookup import samples
from tasks.ledger.tables import LIVE, PENDING
from tasks.passages import Content
from tasks.records import Chunk, Document, DocumentId, DocumentRef, EmbeddingKey
from tasks.windows import Chunked, Deduped, DocumentChange, NewPoint, Quarantined

LEAST_KEPT = 0.8  # of a document's text: an edit that leaves as much takes nothing away
SHRUNK = 3  # times as short: what is left is not the document any more
MOST_WAITING = 32_000_000  # characters of documents that are like no other so far


class Alike:
    """Which documents that lose much of their text are nearly the same now; one for each run."""

    def __init__(self) -> None:
        """None is known yet."""
        self._groups = Groups()
        self._waiting = 0

    def leader(self, change: DocumentChange) -> DocumentId | None:
        """The first that is like it; None where it waits for nothing.

        It is like none before it then, and there are more than memory is meant for.
        """
        leader = self._groups.leader(change.id, change.sample)
        if leader == change.id:
            size = sum(len(new.payload["text"]) for new in change.put)
            if self._waiting + size > MOST_WAITING:
                return None
            self._waiting += size
        return leader


class Differ:
    """Reads the ledger and the cache, writes neither; one for each run."""

    def __init__(
        self,
        identity: Identity,
        ledger: Ledger,
        cache: EmbeddingCache,
        like: Callable[[DocumentChange], DocumentId | None] | None = None,
    ) -> None:
        """Nothing is known before `begin`. `like` tells which document of the run is like one; default: its own."""
        self._like = like or Alike().leader
        self._identity = identity
        self._fingerprint = identity.fingerprint
        self._ledger = ledger
        self._cache = cache
        self._before = Known({})
        self._copies = self._before.copies
        self._samples: dict[DocumentId, bytes] = {}  # of the window's documents

    def begin(self, before: Known) -> None:
        """The windows of a shard follow, or of some; `before` is what the ledger knew of it when the run began."""
        self._before = before
        self._copies = before.copies

    def known_of(self, documents: Sequence[DocumentId]) -> Known:
        """What `begin` was told, of these alone."""
        return self._before.of(documents)

    def is_current(self, document: Document, /) -> bool:
        """Whether the collection has just this: a ledger that vouches for a version vouches for all of its points."""
        before = self._before.documents.get(document.ref.id)
        return (
            before is not None
            and before.version is not None
            and before.version == document_version(self._fingerprint, self._copies.marked(document))
        )

    def diff_window(self, chunked: Chunked) -> Deduped:
        """One change or failure per document, and each unpaid text once."""
        documents = [self._copies.marked(document) for document in chunked.loaded.documents]
        ids = [document.ref.id for document in documents]
        points, self._samples = self._ledger.points(ids), {**self._before.samples, **samples(self._ledger, ids)}
        diffs = [
            self._diff_document(document, chunks, points.get(document.ref.id, []))
            for document, chunks in zip(documents, chunked.chunks, strict=True)
        ]
        changes = [change for change in diffs if isinstance(change, DocumentChange)]
        changes += [self._touched(ref) for ref in chunked.loaded.touched]
        failures = [
            replace(failure, hint=trusted_hint(self._fingerprint, failure.hint)) for failure in chunked.loaded.failures
        ]
        failures += [failure for failure in diffs if isinstance(failure, Quarantined)]
        chunked.tally.points_to_put = sum(len(change.put) for change in changes)
        return Deduped(chunked.tally, changes, failures, self._unpaid(changes))

    def _touched(self, ref: DocumentRef) -> DocumentChange:
        """Only what the listing said of it is new."""
        before = self._before.documents[ref.id]
        return DocumentChange(
            id=ref.id,
            source=ref.source,
            version=str(before.version),
            hint=trusted_hint(self._fingerprint, ref.hint),
            chunks=before.chunks,
            tokens=before.tokens,
            is_unchanged=True,
            remark=before.remark or "",
            signature=self._copies.signatures.get(ref.id, b""),
            original=self._copies.originals.get(ref.id),
        )

    def _unpaid(self, changes: Iterable[DocumentChange]) -> dict[EmbeddingKey, tuple[Content, int]]:
        texts = {new.embedding: (new.content, new.tokens) for change in changes for new in change.put}
        missing = self._cache.missing(texts)
        return {key: text for key, text in texts.items() if key in missing}

    def _diff_document(
        self, document: Document, chunks: Sequence[Chunk], points: Sequence[KnownPoint]
    ) -> DocumentChange | Quarantined:
        """A Quarantined for a document that was quarantined as it is: nobody pays for it again."""
        ref = document.ref
        version = document_version(self._fingerprint, document)
        hint = trusted_hint(self._fingerprint, ref.hint)
        entry = self._before.quarantine.get(ref.id)
        if entry is not None and entry.version == version and not entry.is_due:
            return Quarantined(ref.id, entry.reason, entry.message, hint, version)
        wanted = wanted_points(self._identity, document, chunks)
        diff = diff_points(list(wanted), points)
        put = tuple(
            NewPoint(
                id=point_id,
                key=key,
                embedding=wanted[key].embedding,
                tokens=wanted[key].chunk.tokens,
                payload=wanted[key].payload,
                content=document.image or wanted[key].chunk.passage or wanted[key].chunk.embedded,
            )
            for key, point_id in diff.put.items()
        )
        before = self._before.documents.get(ref.id)
        change = DocumentChange(
            id=ref.id,
            source=ref.source,
            version=version,
            hint=hint,
            put=put,
            doom=diff.doom,
            chunks=len(chunks),
            tokens=sum(chunk.tokens for chunk in chunks),
            is_new=before is None,
            is_emptied=not chunks and any(point.state in (LIVE, PENDING) for point in points),
            is_unchanged=before is not None and before.version == version and not put and not diff.doom,
            remark="; ".join(document.remarks) or ("" if chunks else "holds no text"),
            signature=self._copies.signatures.get(ref.id, b""),
            original=self._copies.originals.get(ref.id),
        )
        return self._left_out(self._judged(change, document, points, wanted), points)

    def _left_out(self, change: DocumentChange, points: Sequence[KnownPoint]) -> DocumentChange:
        """The same change, without a record where that is asked for: its original has the text."""
        if change.original is None or not self._copies.are_dropped:
            return change
        before = self._before.documents.get(change.id)
        doom = tuple(point.id for point in points if point.state in (LIVE, PENDING))
        is_unchanged = before is not None and before.version == change.version and not doom
        remark = f"left out, for it is nearly the same as {change.original}"
        return replace(change, put=(), doom=doom, chunks=0, tokens=0, is_unchanged=is_unchanged, remark=remark)

    def _judged(
        self, change: DocumentChange, document: Document, points: Sequence[KnownPoint], wanted: Mapping[str, Wanted]
    ) -> DocumentChange:
        """The same change, with what it takes away of the text that is in the collection."""
        if change.is_unchanged:
            return change
        pairs = pairs_of(document)
        change = replace(change, sample=sample(pairs))
        before, former = self._before.documents.get(change.id), self._samples.get(change.id, b"")
        live = {point.embedding for point in points if point.state == LIVE}
        if before is None or not (live or before.version is None) or not change.chunks:
            return change
        if not former and not is_told_by_embeddings(before, self._fingerprint):
            return change
        lost, kept = without(former, pairs), {one.embedding for one in wanted.values()}
        share = max(len(live & kept) / len(live) if live else 0.0, 1 - len(lost) / len(former) if former else 0.0)
        if share >= LEAST_KEPT:
            return change
        is_shrunk = change.tokens * SHRUNK <= before.tokens
        return replace(change, is_shrunk=is_shrunk, former=former, lost=lost, like=self._like(change))
