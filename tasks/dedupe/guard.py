"""The guard: deletions need proof, and a large one needs a person's word."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from config.schema import Deletions
from tasks.records import DocumentId


@dataclass(frozen=True, slots=True)
class Verdict:
    """`plan_hash` names exactly this set of deletions; `--confirm-deletes` with it lets them through once."""

    allowed: bool
    plan_hash: str
    reason: str


def judge(
    doomed: Iterable[DocumentId], known: int, limits: Deletions, *, listed: int, confirmed: str | None
) -> Verdict:
    """Weigh the documents that would leave (emptied ones included) against the `known` documents of the ledger.

    An empty listing of a pipeline that had documents is never believed without confirmation.
    """
    ids = sorted(doomed)
    plan_hash = hashlib.sha256("\0".join(ids).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if not ids or confirmed == plan_hash:
        return Verdict(allowed=True, plan_hash=plan_hash, reason="")
    if listed == 0:
        return Verdict(allowed=False, plan_hash=plan_hash, reason="the source lists nothing at all")
    ceiling = max(limits.max_count, int(limits.max_fraction * known))
    if len(ids) > ceiling:
        reason = f"{len(ids)} of {known} documents would go, more than {ceiling} need confirmation"
        return Verdict(allowed=False, plan_hash=plan_hash, reason=reason)
    return Verdict(allowed=True, plan_hash=plan_hash, reason="")
