"""Which documents a report counts, by name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from tasks.records import DocumentId
from tasks.windows import Quarantined, Remark

MOST_IN_A_RUN = 20  # a run's report is kept in the ledger, and travels to Prefect

Item = TypeVar("Item")


class Move(NamedTuple):
    """A document that left under one name and came under another, with the same content."""

    old: DocumentId
    new: DocumentId

    def as_json(self) -> dict[str, str]:
        """One of `names.moved`."""
        return {"from": self.old, "to": self.new}


class Copy(NamedTuple):
    """A document that is nearly the same as another one."""

    document: DocumentId
    of: DocumentId


@dataclass
class Names:
    """The first `most` of each kind, all of them where that is None; how many there are is told by the counts."""

    empty: list[DocumentId] = field(default_factory=list[DocumentId])
    quarantined: list[Quarantined] = field(default_factory=list[Quarantined])
    withheld: list[DocumentId] = field(default_factory=list[DocumentId])
    deleted: list[DocumentId] = field(default_factory=list[DocumentId])
    moved: list[Move] = field(default_factory=list[Move])
    partial: list[Remark] = field(default_factory=list[Remark])
    near_duplicates: list[Copy] = field(default_factory=list[Copy])
    most: int | None = MOST_IN_A_RUN

    def add(self, kept: list[Item], items: Iterable[Item]) -> None:
        """Keep as many of these as there is room for."""
        kept.extend(items if self.most is None else islice(items, max(self.most - len(kept), 0)))

    def as_json(self) -> dict[str, Any]:
        """`names` in `plan --json` and `sync --json`."""
        return {
            "empty": self.empty,
            "quarantined": [
                {"document": one.id, "reason": one.reason, "message": one.message} for one in self.quarantined
            ],
            "withheld": self.withheld,
            "deleted": self.deleted,
            "moved": [move.as_json() for move in self.moved],
            "partial": [{"document": one.document, "remark": one.text} for one in self.partial],
            "near_duplicates": [one._asdict() for one in self.near_duplicates],
        }


def names_from(shape: Mapping[str, Any]) -> Names:
    """The inverse of `as_json`."""
    return Names(
        empty=[*shape.get("empty", ())],
        quarantined=[
            Quarantined(one["document"], one["reason"], one["message"]) for one in shape.get("quarantined", ())
        ],
        withheld=[*shape.get("withheld", ())],
        deleted=[*shape.get("deleted", ())],
        moved=[Move(move["from"], move["to"]) for move in shape.get("moved", ())],
        partial=[Remark(one["document"], one["remark"]) for one in shape.get("partial", ())],
        near_duplicates=[Copy(one["document"], one["of"]) for one in shape.get("near_duplicates", ())],
    )
