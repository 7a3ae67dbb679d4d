"""What of a text has no room in its record: parts of it, as records of a namespace of their own.

The first of them has the id of the text's record, and says how many there are; it is written first and deleted last, so
that a process that is killed in between leaves none that cannot be found again.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pinecone import Vector as Record

from config.stores import PineconeStore as Settings
from tasks.errors import NoCollectionError
from tasks.records import Payload
from tasks.upsert.pinecone.index import Namespace, anywhere
from tasks.upsert.pinecone.records import PARTS, TEXT, as_payload, book_of

_log = logging.getLogger("headrace")


class Texts:
    """Connects at the first text that is so large."""

    def __init__(self, settings: Settings, collection: str) -> None:
        """No collection's name has a colon."""
        self._index = Namespace(settings, f"{collection}:texts")

    def write(self, parts: Mapping[str, Sequence[str]]) -> None:
        """Parts by the id of the text's record; returns when everybody sees them."""
        vector = anywhere(self._index.dimension)
        firsts = [Record(point, vector, metadata={TEXT: one[0], PARTS: len(one)}) for point, one in parts.items()]
        others = [
            Record(name, vector, metadata={TEXT: text})
            for point, one in parts.items()
            for name, text in list(zip(_names(point, len(one)), one, strict=True))[1:]
        ]
        self._index.write(firsts)
        self._index.write(others)
        self._index.wait()

    def erase(self, ids: Sequence[str]) -> None:
        """The parts of those records that have some."""
        firsts = {record.id: _number(record.metadata or {}) for record in self._index.fetched(ids)}
        others = [name for point, parts in firsts.items() for name in list(_names(point, parts))[1:]]
        self._index.erase([*others, *firsts])

    def payloads(self, stored: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Payload]:
        """What is in these records, by id, with their whole texts."""
        names = [list(_names(point, _number(book_of(metadata)))) for point, metadata in stored]
        wanted = [name for every in names for name in every]
        parts = {one.id: (one.metadata or {}).get(TEXT) for one in self._index.fetched(wanted)} if wanted else {}
        payloads = [as_payload(metadata) for _, metadata in stored]
        for payload, every in zip(payloads, names, strict=True):
            if every:
                payload["text"] = "".join([payload.get("text", ""), *(str(parts.get(name) or "") for name in every)])
        if missing := [name for name in wanted if name not in parts]:
            _log.warning("%s: parts of texts are missing: %s; run verify", self._index.name, ", ".join(missing[:5]))
        return payloads

    def drop(self) -> None:
        """All texts; returns when nobody sees them."""
        self._index.erase_all("-")
        with suppress(NoCollectionError):
            self._index.wait()

    def close(self) -> None:
        """Further calls fail."""
        self._index.close()


def _number(metadata: Mapping[str, Any]) -> int:
    """How many parts; none where somebody else has written it."""
    number = metadata.get(PARTS, 0)
    return int(number) if isinstance(number, int | float) else 0


def _names(point: str, parts: int) -> Iterator[str]:
    """The ids of a text's parts."""
    return (f"{point}:{part}" if part else point for part in range(parts))
