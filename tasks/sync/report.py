"""What a run did, in numbers that add up."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tasks.errors import HeadraceError
from tasks.sync.names import Names, names_from
from tasks.windows import DocumentChange, Quarantined, Remark, Spent, Tally, Written

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = TypeVar("Part", bound="DataclassInstance")


class Outcome(StrEnum):
    """How a run ended, and the exit code of a process that ends with it."""

    DONE = "done", 0
    PARTIAL = "partial", 1
    LOCKED = "locked", 3
    BUDGET = "budget", 4
    WITHHELD = "withheld", 25
    FAILED = "failed", 70
    INTERRUPTED = "interrupted", 130

    exit_code: int

    def __new__(cls, name: str, exit_code: int = 0) -> Self:
        """Members have both; one is found again by its name alone."""
        outcome = str.__new__(cls, name)
        outcome._value_ = name
        outcome.exit_code = exit_code
        return outcome


@dataclass
class Documents:
    """listed = added + changed + unchanged + empty + quarantined + held.

    `held` are listed documents whose change is withheld, since their content would be lost; `withheld` counts these and
    the missing ones. `served_old` says how many of the quarantined and held ones are still found as they last were.
    `moved` says how many have the content of a deleted or withheld one, each of another. `partial`
    counts those about which something is to be told: what a reader sees and no chunk has, or what was guessed.
    `near_duplicates` are nearly the same as another one, by the settings of that name.
    """

    listed: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    withheld: int = 0
    quarantined: int = 0
    empty: int = 0
    held: int = 0
    served_old: int = 0
    moved: int = 0
    partial: int = 0
    near_duplicates: int = 0


@dataclass
class Chunks:
    """embedded + reused = written + unwritten, however the run ended.

    `total` is what the collection holds for this pipeline. `embedded` counts texts that got a vector in this run, each
    once for the first written chunk that needs it; every other written chunk is `reused`. `unwritten` are embedded, but
    in no written document: the run stopped, or the document is withheld or quarantined. Their vectors are in the cache,
    so the next run reuses them.
    """

    total: int = 0
    embedded: int = 0
    reused: int = 0
    written: int = 0
    removed: int = 0
    unwritten: int = 0


@dataclass
class Tokens:
    """Tokens of the chunks embedded and reused, as the embedder counts; what a provider bills is in `cost_usd`."""

    embedded: int = 0
    reused: int = 0


@dataclass
class Seconds:
    """Work per stage; stages overlap, so the sum may exceed the total."""

    total: float = 0.0
    list: float = 0.0
    load: float = 0.0
    chunk: float = 0.0
    embed: float = 0.0
    upsert: float = 0.0


@dataclass
class Report:
    """One run. `notes` are sentences for a person: what was withheld or could not be listed, and what to do.

    `quality` compares the new generation with the live one, where queries are configured for that.

    `silent` are sources without anything new for too long, each named once in that time.

    `switched`: it has made its generation the live one. `unlisted` counts parts of sources that could not be listed.
    `model` is named as the configuration does; `runtime` is what a local one ran on, and in which precision; empty
    where no text was embedded here. `cost_usd` is what was booked for this run: for texts that were refused, sent
    twice, or whose answer was lost as well. `passed_over` counts, by suffix, files that no setting names.
    """

    pipeline: str
    run: str = ""
    outcome: Outcome = Outcome.DONE
    generation: int = 1
    switched: bool = False
    documents: Documents = field(default_factory=Documents)
    chunks: Chunks = field(default_factory=Chunks)
    tokens: Tokens = field(default_factory=Tokens)
    cost_usd: float = 0.0
    seconds: Seconds = field(default_factory=Seconds)
    plan_hash: str = ""
    model: str = ""
    runtime: str = ""
    notes: list[str] = field(default_factory=list[str])
    aside: Counter[str] = field(default_factory=Counter[str])
    names: Names = field(default_factory=Names)
    passed_over: Counter[str] = field(default_factory=Counter[str])
    quality: dict[str, Any] | None = None
    unlisted: int = 0
    silent: list[str] = field(default_factory=list[str])

    @property
    def exit_code(self) -> int:
        """The process's exit status for this outcome."""
        return self.outcome.exit_code

    def count_quarantined(self, documents: Sequence[Quarantined]) -> None:
        """Count documents that are quarantined, by class."""
        self.documents.quarantined += len(documents)
        self.aside.update(document.reason for document in documents)
        self.names.add(self.names.quarantined, documents)

    def tell_quarantined(self) -> None:
        """A run with something in quarantine is partial, and says what."""
        if self.documents.quarantined:
            self.outcome = Outcome.PARTIAL
            kinds = ", ".join(f"{count} {reason}" for reason, count in sorted(self.aside.items()))
            self.notes.append(
                f"quarantined: {kinds}; {self.documents.served_old} of them are served as they last were."
                " `headrace status` says why"
            )

    def tell_doubts(self, damaged: int, other_model: str = "") -> None:
        """`damaged` cached vectors, and the name a server gave; said first, for the last note is why a run stopped."""
        if damaged:
            text = f"{damaged} vectors in the embedding cache are damaged, and not used"
            self.notes.insert(0, f"{text}: their texts are embedded again where they are needed")
        if other_model:
            text = f"the server answers in the name of the model {other_model!r}, and {self.model!r} was asked for"
            self.notes.insert(0, f"{text}; check embedder.model and embedder.base_url")

    def count_changes(self, changes: Iterable[DocumentChange], spent: Spent) -> None:
        """Count documents and their points; what the texts cost is counted where they are paid for."""
        for change in changes:
            self.count_remarks([Remark(change.id, change.remark)] if change.remark else [])
            if not change.chunks and not change.is_left_out:
                self.documents.empty += 1
                self.names.add(self.names.empty, [change.id])
            elif change.is_new:
                self.documents.added += 1
            elif change.is_unchanged:
                self.documents.unchanged += 1
            else:
                self.documents.changed += 1
            self.chunks.written += len(change.put)
            self.chunks.removed += len(change.doom)
            reused = [new.tokens for new in change.put if not spent.use(new.embedding)]
            self.chunks.reused += len(reused)
            self.tokens.reused += sum(reused)

    def count_granted(self, changes: Sequence[DocumentChange], spent: Spent) -> None:
        """Count documents whose records would get other readers, and nothing else."""
        self.count_changes(changes, spent)
        chunks = sum(change.chunks for change in changes if not change.is_unchanged)
        self.chunks.written += chunks
        self.chunks.removed += chunks
        self.chunks.reused += chunks

    def count_remarks(self, remarks: Sequence[Remark]) -> None:
        """Count documents of which more is to be told than their chunks."""
        self.documents.partial += len(remarks)
        self.names.add(self.names.partial, remarks)

    def count_read(self, tally: Tally) -> None:
        """Count the time that a window took to read."""
        self.seconds.load += tally.load_seconds
        self.seconds.chunk += tally.chunk_seconds

    def count_spent(self, spent: Spent, cost_usd: float) -> None:
        """Take over what the run has paid for so far, for windows that were never written as well."""
        self.chunks.embedded = spent.texts_paid
        self.chunks.unwritten = spent.unwritten
        self.tokens.embedded = spent.tokens_paid
        self.seconds.embed = spent.seconds
        self.cost_usd = cost_usd

    def count_written(self, written: Written, spent: Spent) -> None:
        """Count a window that went all the way."""
        self.count_read(written.tally)
        self.count_quarantined(written.failures)
        self.count_changes((change for change in written.changes if not change.waits), spent)
        self.seconds.upsert += written.tally.upsert_seconds

    def add(self, later: "Report") -> None:
        """Count what a later run of the same generation did beside this one; documents are those of the first."""
        for mine, more in ((self.chunks, later.chunks), (self.tokens, later.tokens), (self.seconds, later.seconds)):
            for one in fields(mine):
                setattr(mine, one.name, getattr(mine, one.name) + getattr(more, one.name))
        self.chunks.total = later.chunks.total
        self.cost_usd += later.cost_usd
        self.unlisted, self.outcome, self.plan_hash = later.unlisted, later.outcome, later.plan_hash
        self.notes = list(dict.fromkeys([*self.notes, *later.notes]))

    def as_json(self) -> dict[str, Any]:
        """The shape that `sync --json` promises; seconds to the millisecond."""
        shape = asdict(self)
        shape["outcome"] = self.outcome.value
        shape["aside"] = dict(self.aside)
        shape["names"] = self.names.as_json()
        shape["passed_over"] = dict(self.passed_over)
        shape["cost_usd"] = round(self.cost_usd, 9)
        shape["seconds"] = {name: round(value, 3) for name, value in shape["seconds"].items()}
        return shape


def report_from(shape: Mapping[str, Any]) -> Report:
    """The inverse of `as_json`, for reports of other versions as well: each may have counts that the other lacks."""
    report = _filled(Report, shape)
    report.outcome = Outcome(shape["outcome"])
    report.documents = _filled(Documents, shape["documents"])
    report.chunks = _filled(Chunks, shape["chunks"])
    report.tokens = _filled(Tokens, shape["tokens"])
    report.seconds = _filled(Seconds, shape["seconds"])
    report.aside = Counter(shape.get("aside", {}))
    report.names = names_from(shape.get("names", {}))
    report.passed_over = Counter(shape.get("passed_over", {}))
    return report


def _filled(kind: type[Part], values: Mapping[str, Any]) -> Part:
    known = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})


class IncompleteRunError(HeadraceError):
    """A run that ended in order, but did not do everything; `report` says what is left."""

    def __init__(self, report: Report) -> None:
        """The message is the outcome and its reasons."""
        super().__init__("; ".join([f"{report.pipeline}: {report.outcome}", *report.notes]))
        self.report = report
        self.exit_code = report.exit_code
