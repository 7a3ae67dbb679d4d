"""A listing of rows, and where each of them is found again."""

import operator
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from typing import Any, Generic, TypeVar, cast

from tasks.errors import DocumentError
from tasks.load.paths import document_id
from tasks.load.spool import Spool
from tasks.records import DocumentId, DocumentRef, FailedScope, Listing
from tasks.slices import shard_of

Place = TypeVar("Place")
_ID = operator.itemgetter(0)
_PLAIN = {int, str, bool, float}  # JSON gives them back as they were


class Listed(Generic[Place]):
    """The documents of one listing in order of their ids, each with the place of its row.

    Rows that share an id are one document that cannot be read, rather than one that another replaces.
    """

    def __init__(self, source: str, shards: int = 1) -> None:
        """Rows are added first, and looked up after `listing`; with several shards they wait on disk for `refs`."""
        self._source = source
        self._spool = Spool(shards) if shards > 1 else None
        self._odd: list[Place] = []  # places that JSON would change, such as dates: they stay in memory
        self._refs: list[DocumentRef] = []
        self._places: list[Place] = []
        self._nameless = 0
        self._doubles: dict[DocumentId, int] = {}

    def __len__(self) -> int:
        return len(self._refs)

    def add(self, path: str, hint: str, size_bytes: int, place: Place) -> None:
        """Take the next row; one with an empty path is only counted."""
        if not path:
            self._nameless += 1
            return
        document = document_id(self._source, path)
        if self._spool:
            self._spool.add(shard_of(document, self._spool.shards), [path, hint, size_bytes, self._as_json(place)])
            return
        self._refs.append(DocumentRef(document, self._source, path, hint, size_bytes))
        self._places.append(place)

    def listing(self, failed: Sequence[FailedScope] = (), advice: str = "") -> Listing:
        """All that was added; which document a row without an id is, nobody knows, so nothing is deleted then.

        `advice` says how such rows are left out.
        """
        self._sort()
        scopes = [*failed]
        if self._nameless:
            rows = "1 row has" if self._nameless == 1 else f"{self._nameless:,} rows have"
            scopes.append(
                FailedScope(f"{self._source}:", f"source {self._source!r}: {rows} no value in the id; {advice}")
            )
        return Listing(self._source, tuple(self._refs), tuple(scopes))

    def refs(self, shard: int) -> tuple[DocumentRef, ...]:
        """Those of a shard, which are the ones that can be looked up from now on."""
        if self._spool:
            self._refs, self._places, self._doubles = [], [], {}
            for path, hint, size_bytes, place in self._spool.read(shard):
                self._refs.append(DocumentRef(document_id(self._source, path), self._source, path, hint, size_bytes))
                self._places.append(self._from_json(place))
            self._sort()
        return tuple(self._refs)

    def from_here(self, ref: DocumentRef, most: int) -> list[tuple[DocumentRef, Place]]:
        """The document and those that follow it in the listing; DocumentError where its row is none or not alone."""
        at = bisect_left(self._refs, ref.id, key=_ID)
        if at == len(self._refs) or self._refs[at].id != ref.id:
            raise DocumentError("missing", f"{ref.id} was not listed; the next run will see")
        if ref.id in self._doubles:
            raise DocumentError(
                "duplicate-id",
                f"{ref.id}: {self._doubles[ref.id]:,} rows have this id; make it one row, or tell them apart by an `id`"
                " of several columns, [first, second], or by what your function yields",
            )
        both = zip(self._refs[at : at + most], self._places[at : at + most], strict=True)
        return [(one, place) for one, place in both if one.id not in self._doubles]

    def _as_json(self, place: Place) -> Any:
        if all(type(part) in _PLAIN for part in (place if isinstance(place, tuple) else [place])):
            return place
        self._odd.append(place)
        return {"odd": len(self._odd) - 1}

    def _from_json(self, given: Any) -> Place:
        if isinstance(given, dict):
            return self._odd[given["odd"]]
        return cast("Place", tuple(given) if isinstance(given, list) else given)

    def _sort(self) -> None:
        ids = [ref.id for ref in self._refs]
        order = sorted(range(len(ids)), key=ids.__getitem__)
        self._refs = [self._refs[at] for at in order]
        self._places = [self._places[at] for at in order]
        ids.sort()
        if any(map(operator.eq, ids, islice(ids, 1, None))):
            self._join_doubles()

    def _join_doubles(self) -> None:
        refs: list[DocumentRef] = []
        places: list[Place] = []
        for ref, place in zip(self._refs, self._places, strict=True):
            if refs and refs[-1].id == ref.id:
                count = self._doubles[ref.id] = self._doubles.get(ref.id, 1) + 1
                refs[-1] = refs[-1]._replace(hint=f"{count} rows")
            else:
                refs.append(ref)
                places.append(place)
        self._refs, self._places = refs, places
