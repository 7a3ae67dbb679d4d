"""What a tracked run shows in the Prefect UI: a progress bar while it works, a table when it is done."""

import re
import time
from contextlib import suppress
from typing import Any

from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from tasks.sync.report import Report, to_read

UPDATE_SECONDS = 3.0


class ArtifactProgress:
    """At most one update in 3 s: an update costs 13 ms here and as much on the server. It never fails the run."""

    def __init__(self, pipeline: str) -> None:
        """Artifacts of one pipeline share a key, so the UI shows their history."""
        self._key = re.sub(r"[^a-z0-9-]+", "-", pipeline.lower())
        self._id: Any = None
        self._total = self._done = 0
        self._updated = 0.0

    def begin(self, documents: int) -> None:
        """Create the bar."""
        self._total = documents
        with suppress(Exception):
            self._id = create_progress_artifact(
                progress=0.0 if documents else 100.0,
                key=f"{self._key}-progress",
                description=to_read(documents),
            )

    def advance(self, documents: int, report: Report) -> None:
        """Move the bar."""
        self._done += documents
        is_last = self._done >= self._total
        if self._id is None or (time.monotonic() - self._updated < UPDATE_SECONDS and not is_last):
            return
        self._updated = time.monotonic()
        text = f"{self._done} of {self._total} documents, {report.chunks.embedded} chunks embedded"
        with suppress(Exception):
            update_progress_artifact(self._id, progress=100.0 * self._done / self._total, description=text)

    def end(self, report: Report) -> None:
        """Publish the report as a table, its notes above it."""
        shape = report.as_json()
        rows = [
            {"what": group, **{str(name): value for name, value in shape[group].items()}}
            for group in ("documents", "chunks", "tokens", "seconds")
        ]
        cells = [
            {"what": row["what"], "count": name, "value": row[name]} for row in rows for name in row if name != "what"
        ]
        cells.append({"what": "cost", "count": "usd", "value": shape["cost_usd"]})
        text = "\n\n".join([f"**{report.pipeline}: {report.outcome}**", *report.notes])
        with suppress(Exception):
            create_table_artifact(table=cells, key=f"{self._key}-summary", description=text)
