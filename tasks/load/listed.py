"""A listing of rows, and where each of them is found again."""

import operator
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _Part(Generic[Place]):
    """Rows of a shard, in order of their ids; `doubles` counts those that share one."""

    refs: list[DocumentRef] = field(default_factory=list[DocumentRef])
    places: list[Place] = field(default_factory=list[Any])
    doubles: dict[DocumentId, int] = field(default_factory=dict[DocumentId, int])

    def add(self, ref: DocumentRef, place: Place) -> None:
        self.refs.append(ref)
        self.places.append(place)

    def sort(self) -> None:
        ids = [ref.id for ref in self.refs]
        order = sorted(range(len(ids)), key=ids.__getitem__)
        self.refs = [self.refs[at] for at in order]
        self.places = [self.places[at] for at in order]
        ids.sort()
        if any(map(operator.eq, ids, islice(ids, 1, None))):
            self._join_doubles()

    def _join_doubles(self) -> None:
        refs: list[DocumentRef] = []
        places: list[Place] = []
        for ref, place in zip(self.refs, self.places, strict=True):
            if refs and refs[-1].id == ref.id:
                count = self.doubles[ref.id] = self.doubles.get(ref.id, 1) + 1
                refs[-1] = refs[-1]._replace(hint=f"{count} rows")
            else:
                refs.append(ref)
                places.append(place)
        self.refs, self.places = refs, places


class Listed(Generic[Place]):
    """The documents of one listing in order of their ids, each with the place of its row.

    Rows that share an id are one document that cannot be read, rather than one that another replaces.
    """

    def __init__(self, source: str, shards: int = 1, at_once: int = 1) -> None:
        """Rows are added first, and looked up after `listing`; with several shards they wait on disk for `refs`.

        So many of the shards that `refs` was asked for last can be looked up `at_once`.
        """
        self._source = source
        self._spool = Spool(shards) if shards > 1 else None
        self._odd: list[Place] = []  # places that JSON would change, such as dates: they stay in memory
        self._at_once = at_once
        self._parts: dict[int, _Part[Place]] = {} if self._spool else {0: _Part()}
        self._nameless = 0

    def __len__(self) -> int:
        return sum(len(part.refs) for part in self._parts.values())

    def add(self, path: str, hint: str, size_bytes: int, place: Place) -> None:
        """Take the next row; one with an empty path is only counted."""
        if not path:
            self._nameless += 1
            return
        document = document_id(self._source, path)
        if self._spool:
            self._spool.add(shard_of(document, self._spool.shards), [path, hint, size_bytes, self._as_json(place)])
            return
        self._parts[0].add(DocumentRef(document, self._source, path, hint, size_bytes), place)

    def listing(self, failed: Sequence[FailedScope] = (), advice: str = "") -> Listing:
        """All that was added; which document a row without an id is, nobody knows, so nothing is deleted then.

        `advice` says how such rows are left out.
        """
        refs: list[DocumentRef] = []
        for part in self._parts.values():
            part.sort()
            refs += part.refs
        scopes = [*failed]
        if self._nameless:
            rows = "1 row has" if self._nameless == 1 else f"{self._nameless:,} rows have"
            scopes.append(
                FailedScope(f"{self._source}:", f"source {self._source!r}: {rows} no value in the id; {advice}")
            )
        return Listing(self._source, tuple(refs), tuple(scopes))

    def refs(self, shard: int) -> tuple[DocumentRef, ...]:
        """Those of a shard, which can be looked up from now on."""
        if self._spool:
            part: _Part[Place] = _Part()
            for path, hint, size_bytes, place in self._spool.read(shard):
                ref = DocumentRef(document_id(self._source, path), self._source, path, hint, size_bytes)
                part.add(ref, self._from_json(place))
            part.sort()
            others = [(number, other) for number, other in self._parts.items() if number != shard]
            self._parts = dict([*others, (shard, part)][-self._at_once :])
            return tuple(part.refs)
        return tuple(self._parts[0].refs)

    def from_here(self, ref: DocumentRef, most: int) -> list[tuple[DocumentRef, Place]]:
        """The document and those that follow it in its shard; DocumentError where its row is none or not alone."""
        part = self._parts.get(shard_of(ref.id, self._spool.shards) if self._spool else 0, _Part())
        refs, doubles = part.refs, part.doubles
        at = bisect_left(refs, ref.id, key=_ID)
        if at == len(refs) or refs[at].id != ref.id:
            raise DocumentError("missing", f"{ref.id} was not listed; the next run will see")
        if ref.id in doubles:
            raise DocumentError(
                "duplicate-id",
                f"{ref.id}: {doubles[ref.id]:,} rows have this id; make it one row, or tell them apart by an `id`"
                " of several columns, [first, second], or by what your function yields",
            )
        both = zip(refs[at : at + most], part.places[at : at + most], strict=True)
        return [(one, place) for one, place in both if one.id not in doubles]

    def _as_json(self, place: Place) -> Any:
        if all(type(part) in _PLAIN for part in (place if isinstance(place, tuple) else [place])):
            return place
        self._odd.append(place)
        return {"odd": len(self._odd) - 1}

    def _from_json(self, given: Any) -> Place:
        if isinstance(given, dict):
            return self._odd[given["odd"]]
        return cast("Place", tuple(given) if isinstance(given, list) else given)
