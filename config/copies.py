"""What to do about documents that are nearly the same."""

from typing import Literal

from pydantic import Field

from config.fields import Section


class NearDuplicates(Section):
    """Documents of nearly the same text as another one with the same readers: the first by id is the original."""

    threshold: float = Field(
        default=0.9, ge=0.5, le=1, description="So large a share of all sequences of three words is in both texts."
    )
    action: Literal["tag", "drop"] = Field(
        default="tag",
        description="tag: records of a near-duplicate name its original in `near_duplicate_of`. drop: it has none, and"
        " nothing of it is embedded, as long as its original is there.",
    )
