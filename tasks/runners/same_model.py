"""Whether what answers under a model's name still is the model of the vectors at hand.

An address may lead to another server that knows the same name, and no text is embedded twice, so nothing else would
tell. Each run that pays therefore first embeds a few texts again whose vectors are known, and compares.
"""

from collections.abc import Collection, Mapping
from itertools import islice
from statistics import median_high

from tasks.dedupe.identity import bookkeeping
from tasks.embed.models import is_family
from tasks.errors import CollectionError
from tasks.ledger.tables import LIVE, PENDING
from tasks.records import Bookkeeping, EmbeddingKey, Payload, PointId, Vector
from tasks.session import Session
from tasks.upsert.vectors import cosine, has_direction
from tasks.windows import Deduped

TEXTS = 3  # in one request: vectors in a wrong order show, and one wrong vector on our side decides nothing
RECORDS = 32  # of the collection, for the shortest texts among them
LEAST_COSINE = 0.99  # another release of a model may be so far away, another model never is so near
FAMILY_COSINE = 0.5  # of models that share a space, for documents may be those of one, and new ones come from another

Known = Mapping[str, Vector]  # by text


class SameModel:
    """One for each run; asks nothing of a model that runs here, whose weights are known by their hash."""

    def __init__(self, session: Session) -> None:
        """Vectors are known from the cache and the collection."""
        self._session = session
        self._is_proved = not session.embedder.server
        self._new: set[EmbeddingKey] = set()  # of this run, so they prove nothing
        self._known: Known = {}

    def check(self, deduped: Deduped) -> None:
        """Raise CollectionError where another model would pay for this window; once proved, nothing more is asked.

        Nothing is asked either where nothing is known, as in a first run.
        """
        if self._is_proved or not deduped.unpaid:
            return
        if not self._known:
            is_first = not self._new
            self._new |= deduped.unpaid.keys()
            self._known = self._of_window(deduped) or (self._of_collection() if is_first else {})
        if self._known:
            self._compare(self._known)
            self._is_proved = True

    def check_collection(self, without: Collection[PointId]) -> None:
        """Raise CollectionError where another model answers; the points `without` are doubted themselves."""
        if not self._is_proved:
            self._compare(self._of_collection(without))

    def _compare(self, known: Known) -> None:
        embedder, texts = self._session.embedder, list(known)
        cosines: list[float] = []
        for batch in embedder.embed(texts, embedder.tokenizer.count(texts)) if texts else ():
            cosines += [cosine(known[texts[row]], batch.vectors[place]) for place, row in enumerate(batch.rows)]
        space = self._session.embedder.space
        least = FAMILY_COSINE if is_family(space.provider, space.model) else LEAST_COSINE
        if cosines and median_high(cosines) < least:
            raise CollectionError(
                f"another model answers under the name {embedder.model!r} at {embedder.server}: texts embedded again"
                f" get vectors of the cosine {median_high(cosines):.3f} to those they had, expected at least"
                f" {least:g}; no new vector was kept. Let embedder.base_url lead to the server that made the old"
                " ones; if the change is wanted, name a new `collection` under `store` and a new `cache`"
            )

    def _of_window(self, deduped: Deduped) -> Known:
        """Its texts that were paid for by an earlier run."""
        put = [new for change in deduped.changes for new in change.put if new.embedding not in self._new]
        put = [new for new in put if _is_alone(new.payload)]
        texts = {new.embedding: str(new.payload["text"]) for new in put}
        chosen = sorted(texts, key=lambda key: len(texts[key]))[:TEXTS]
        return {texts[key]: vector for key, vector in self._session.cache.get(chosen).items()}

    def _of_collection(self, without: Collection[PointId] = ()) -> Known:
        """What is live in it, or pending where nothing is; a proven cached vector goes before the stored one.

        In a collection that is shared, what others wrote counts as well: it would be mixed with ours.
        """
        session, space = self._session, self._session.space.fingerprint
        books: dict[PointId, Bookkeeping] = {}
        texts: dict[str, PointId] = {}
        for point, payload in islice(session.store.scan(), RECORDS + len(without)):
            book = bookkeeping(payload)
            if book and book.is_intact and book.space == space and point not in without and _is_alone(payload):
                books[point], texts[str(payload["text"])] = book, point
        owned = session.ledger.points(list({book.document for book in books.values()}))
        states = {point: LIVE for point, book in books.items() if book.pipeline != session.pipeline.name}
        states |= {point.id: point.state for points in owned.values() for point in points}
        live, pending = ([text for text in texts if states.get(texts[text]) == state] for state in (LIVE, PENDING))
        chosen = sorted(live or pending, key=len)[:TEXTS]
        stored = session.store.vectors([texts[text] for text in chosen])
        proven = session.cache.held([books[point].embedding for point in stored]).proven
        vectors = {point: proven.get(books[point].embedding, vector) for point, vector in stored.items()}
        found = {text: vectors[texts[text]] for text in chosen if texts[text] in vectors}
        return {text: vector for text, vector in found.items() if has_direction(vector)}


def _is_alone(payload: Payload) -> bool:
    """Whether its text is all that its vector was made of, rather than a document that is not at hand."""
    return "context" not in payload["headrace"]
