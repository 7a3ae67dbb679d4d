"""What one run may be told beside its configuration; the forms in the Prefect UI show these."""

from pydantic import Field

from config.fields import Section
from config.pipeline import SearchMode


class SyncOptions(Section):
    """What one run may be told beside its configuration; the form in the Prefect UI shows these."""

    confirm_deletes: str | None = Field(default=None, description="PLAN_HASH of the deletions that may go through.")
    max_usd: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Stop before this run costs more."
    )
    wait: bool = Field(default=False, description="Wait for another run to finish instead of giving up.")
    paranoid: bool = Field(
        default=False, description="Read and hash every document, also where the listing shows no change."
    )
    retry_quarantined: bool = Field(
        default=False, description="Try documents again that were set aside and have not changed."
    )
    take_over: bool = Field(
        default=False, description="Make collection and ledger this pipeline's own where they are another's."
    )
    force: bool = Field(
        default=False, description="Switch to a new generation also where it answers worse than the live one."
    )
    rebuild: bool = Field(
        default=False, description="Build a new generation beside the live one, and switch to it when it is whole."
    )

    dry_run: bool = Field(
        default=False, description="Only say what a sync would do and cost: no embedding call, no write."
    )


class WatchOptions(Section):
    """What a run that goes on may be told; the form in the Prefect UI shows these."""

    every_seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="List everything so often; 60 s where left out, or 600 s where all sources are local folders, whose"
        " changes are noticed at once.",
    )


class EvaluateOptions(Section):
    """What one evaluation may be told; the form in the Prefect UI shows these."""

    queries: str | None = Field(default=None, description="JSONL of queries; those under `quality` where left out.")
    qrels: str | None = Field(default=None, description="Their judgments; those under `quality` where left out.")
    spans: str | None = Field(default=None, description="Start and end of each answer, where known.")
    mode: SearchMode | None = Field(default=None, description="As the configuration says where left out.")


class VerifyOptions(Section):
    """What one verification may be told; the form in the Prefect UI shows these."""

    sample: int = Field(default=1000, ge=0, description="So many stored vectors are held against what was paid for.")
    repair: bool = Field(default=False, description="Write again what is wrong, then sync.")
    wait: bool = Field(default=False, description="Wait for another run to finish instead of giving up.")
