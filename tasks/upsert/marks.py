"""The sentinel as stores keep it: a plain object of JSON."""

from collections.abc import Mapping
from typing import Any

from tasks.records import Sentinel

SHARED = "shared"  # the lineage in the mark of a collection that several pipelines share; others are hexadecimal


def read_mark(fields: Mapping[str, Any]) -> Sentinel:
    """What was written of one, without what a later version added; KeyError, TypeError, ValueError for no mark."""
    return Sentinel(
        str(fields["lineage"]),
        int(fields["epoch"]),
        str(fields["space"]),
        str(fields.get("pipeline", "")),
        str(fields.get("place", "")),
        float(fields.get("at", 0.0)),
    )
