"""What a pipeline is like, from its ledger."""

from typing import Any

from tasks.ledger.history import counts, last_runs, quarantined
from tasks.ledger.lease import holder
from tasks.session import Session

RUNS_SHOWN = 5


def describe(session: Session) -> dict[str, Any]:
    """The state of the pipeline, from the ledger."""
    pipeline, space = session.pipeline, session.embedder.space
    sentinel = session.store.sentinel()
    return {
        "pipeline": pipeline.name,
        "store": pipeline.store.kind,
        "collection": pipeline.store.collection or pipeline.name,
        "generations": [{"generation": 1, "live": True, "space": sentinel.space}] if sentinel else [],
        "model": session.embedder.model,
        "dimension": space.dimension,
        "space": space.fingerprint,
        "counts": counts(session.ledger),
        "running": holder(session.ledger),
        "runs": last_runs(session.ledger, RUNS_SHOWN),
        "quarantine": quarantined(session.ledger),
    }
