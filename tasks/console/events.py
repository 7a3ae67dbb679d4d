"""The events that a tracked run emits, for automations: deploy/automations.yaml has some."""

from collections.abc import Mapping
from typing import Any

from prefect.events import emit_event

from tasks.sync.report import Report

_KEPT = (
    "run",
    "outcome",
    "documents",
    "chunks",
    "tokens",
    "cost_usd",
    "seconds",
    "plan_hash",
    "unlisted",
    "silent",
    "measure",
    "value",
    "change",
)
_MOST_NOTES = 10


def resource_of(pipeline: str) -> dict[str, str]:
    """What all events of a pipeline are about."""
    return {"prefect.resource.id": f"headrace.pipeline.{pipeline}", "prefect.resource.name": pipeline}


def announce(event: str, pipeline: str, shape: Mapping[str, Any], note: str = "") -> None:
    """`headrace.EVENT` of a pipeline, with the numbers of a report and its last notes."""
    payload = {name: shape[name] for name in _KEPT if name in shape}
    payload["notes"] = [*dict.fromkeys([*shape.get("notes", ()), *([note] if note else [])])][-_MOST_NOTES:]
    emit_event(f"headrace.{event}", resource_of(pipeline), payload=payload)


def announce_sync(report: Report, most_quarantined: int) -> None:
    """`headrace.sync.OUTCOME`, and what an alert may listen to beside it.

    `headrace.sync.quarantine` where more documents are in it, `headrace.sync.silent` where sources are, and
    `headrace.sync.unlisted` where parts of them could not be listed.
    """
    shape = report.as_json()
    beside = {
        "quarantine": report.documents.quarantined > most_quarantined,
        "silent": report.silent,
        "unlisted": report.unlisted,
    }
    for what in (report.outcome.value, *(name for name, is_so in beside.items() if is_so)):
        announce(f"sync.{what}", report.pipeline, shape)
