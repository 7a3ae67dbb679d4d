"""The events that a tracked run emits, for automations: deploy/automations.yaml has some."""

from collections.abc import Mapping
from typing import Any

from prefect.events import emit_event

_KEPT = ("run", "outcome", "documents", "chunks", "tokens", "cost_usd", "seconds", "plan_hash", "unlisted", "silent")
_MOST_NOTES = 10


def resource_of(pipeline: str) -> dict[str, str]:
    """What all events of a pipeline are about."""
    return {"prefect.resource.id": f"headrace.pipeline.{pipeline}", "prefect.resource.name": pipeline}


def announce(pipeline: str, outcome: str, shape: Mapping[str, Any], note: str = "") -> None:
    """`headrace.sync.OUTCOME`, with the report's numbers, and what an alert may listen to beside it.

    `headrace.sync.quarantine` where documents are in it, `headrace.sync.silent` where sources are.
    """
    resource = resource_of(pipeline)
    payload = {name: shape[name] for name in _KEPT if name in shape}
    payload["notes"] = [*shape.get("notes", ()), *([note] if note else [])][-_MOST_NOTES:]
    emit_event(f"headrace.sync.{outcome}", resource, payload=payload)
    if shape.get("documents", {}).get("quarantined"):
        emit_event("headrace.sync.quarantine", resource, payload=payload)
    if shape.get("silent"):
        emit_event("headrace.sync.silent", resource, payload=payload)
