"""The guard: deletions need proof, and a large one needs a person's word."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from config.pipeline import Deletions
from tasks.records import DocumentId


@dataclass(frozen=True, slots=True)
class Verdict:
    """`plan_hash` names exactly this set of deletions; `--confirm-deletes` with it lets them through once."""

    allowed: bool
    plan_hash: str
    reason: str
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Circumstances:
    """`known` documents in the ledger, `listed` by the sources now, `recent` ones lost in the last seven days.

    `moved` of those that would go leave nothing behind: the same content is listed under another name. `silent` sources
    had documents, and list none.
    """

    known: int
    listed: int
    recent: int = 0
    moved: int = 0
    silent: tuple[str, ...] = ()


def judge(doomed: Iterable[DocumentId], now: Circumstances, limits: Deletions, confirmed: str | None) -> Verdict:
    """Weigh the documents that would lose their content: missing, emptied, cut short, or replaced as others were too.

    An empty listing of a source that had documents is never believed without confirmation. Small losses that add up
    within seven days are a loss as well.
    """
    ids = sorted(doomed)
    plan_hash = hashlib.sha256("\0".join(ids).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if not ids or confirmed == plan_hash:
        return Verdict(allowed=True, plan_hash=plan_hash, reason="", is_confirmed=bool(ids))
    reason = _objection(len(ids) - now.moved, now, limits)
    return Verdict(allowed=not reason, plan_hash=plan_hash, reason=reason)


def _objection(doomed: int, now: Circumstances, limits: Deletions) -> str:
    if now.silent and doomed > 0:
        one = len(now.silent) == 1
        names = ", ".join(map(repr, now.silent))
        return f"source {names} lists nothing at all" if one else f"sources {names} list nothing at all"
    if now.listed == 0:
        return "nothing at all is listed"
    ceiling = max(limits.max_count, int(limits.max_fraction * now.known))
    if doomed > ceiling:
        return f"{doomed} of {now.known} documents would go, more than {ceiling} need confirmation"
    week = max(limits.max_count, int(limits.max_weekly_fraction * (now.known + now.recent)))
    if doomed + now.recent > week:
        return (
            f"{doomed} documents would go, {now.recent} went in the last seven days; together more than {week} need"
            " confirmation"
        )
    return ""
