"""All checks, the quick ones first."""

from tests.contracts.store import durability, filters, payloads, publishing, records, refusals, sharing
from tests.contracts.store.trial import CHECKS

__all__ = ["CHECKS", "durability", "filters", "payloads", "publishing", "records", "refusals", "sharing"]
