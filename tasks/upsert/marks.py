"""The sentinel as stores keep it: a plain object of JSON."""

from collections.abc import Mapping
from typing import Any

from tasks.records import Sentinel

SHARED = "shared"  # the lineage in the mark of a collection that several pipelines share; others are hexadecimal
# Where other readers find it; `complete_at` in it is when the last complete sync ended, in seconds since 1970.
MARK_PLACES: Mapping[str, str] = {
    "qdrant": "`headrace` in the payload of the point 00000000-0000-0000-0000-686561647261; in a folder: sentinel.json",
    "chroma": "`headrace_sentinel` in the collection's metadata",
    "pgvector": "the table's comment: obj_description('TABLE'::regclass)",
    "pinecone": "`sentinel` in the JSON of the metadata `headrace` of the record `headrace-sentinel`",
    "lancedb": "`headrace:sentinel` in the metadata of the field `headrace` of the table's schema",
    "memory": "this process",
}


def read_mark(fields: Mapping[str, Any]) -> Sentinel:
    """What was written of one, without what a later version added; KeyError, TypeError, ValueError for no mark."""
    return Sentinel(
        str(fields["lineage"]),
        int(fields["epoch"]),
        str(fields["space"]),
        str(fields.get("pipeline", "")),
        str(fields.get("place", "")),
        float(fields.get("at", 0.0)),
        float(fields.get("complete_at", 0.0)),
        int(fields.get("withheld", 0)),
        int(fields.get("quarantined", 0)),
        int(fields.get("unknown", 0)),
    )
