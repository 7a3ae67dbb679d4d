"""What is known of an open model that somebody serves: its row of the registry, and what is configured over it."""

import json
from typing import TYPE_CHECKING

from config import embedders
from tasks.embed.models import LocalModel, PaidModel, PaidModels, by_hand, served_model

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN_FACTOR = 1.5  # so many tokens a model's own tokenizer may find for one that is counted here


def with_served(models: PaidModels, config: embedders.OpenAIEmbedder) -> PaidModels:
    """The provider's rows, with one for the configured model as it is to be asked."""
    row = models.row(config.model)
    is_known = row is not models.other
    served = None if is_known else served_model(config.model)
    if served:
        row = _served_row(*served, row, config)
    row = row.model_copy(update={**by_hand(config), "revision": _revision(config), **_dimension(row, config)})
    row = row.model_copy(update={"query_prefix": row.query_prompt(config.task)})
    if served:
        row = row.model_copy(update={"assumed": _assumed(served[0], row, config)})
    if not row.dimension:  # only the server knows it: it is asked for what is configured
        return models.model_copy(update={"other": row})
    if not is_known:
        row = row.model_copy(update={"tokens_factor": 1.0 if row.folder else UNKNOWN_FACTOR})
    return models.model_copy(update={"models": {**models.models, config.model: row}})


def _assumed(hub_id: str, row: PaidModel, config: embedders.OpenAIEmbedder) -> str:
    """For whoever wonders at the prompts, or at the size of the chunks."""
    counted = f"by its own tokenizer in {row.folder}" if row.folder else f"by OpenAI's, at most {row.max_tokens}"
    return (
        f"{config.model} is taken for {hub_id}, with the prompts {row.document_prefix!r} for documents and"
        f" {row.query_prefix!r} for queries; its tokens are counted {counted}{'' if row.folder else ', an estimate'}"
    )


def _served_row(hub_id: str, known: LocalModel, other: PaidModel, config: embedders.OpenAIEmbedder) -> PaidModel:
    """A row of an open model in the shape of a paid one; its space is that of a model without a row, plus prompts."""
    prefix = known.document_prefix if config.document_prefix is None else config.document_prefix
    folder = _tokenizer_folder(config.model, hub_id) if config.tokenizer == "auto" else None
    # Without a prompt, a model for long texts could be used before it was known here: its chunks stay as they were.
    was_right = not prefix and (known.max_tokens or other.max_tokens) >= other.max_tokens
    estimate = other.max_tokens if was_right else int((known.max_tokens or other.max_tokens) / UNKNOWN_FACTOR)
    return other.model_copy(
        update={
            "dimension": known.dimension,
            "sizes": known.sizes,
            "any_size": False,
            "document_prefix": known.document_prefix,
            "query_prefix": known.query_prefix,
            "max_tokens": (known.max_tokens or other.max_tokens) if folder else estimate,
            "space_tokens": other.max_tokens,
            "folder": str(folder or ""),
        }
    )


def _tokenizer_folder(model: str, hub_id: str) -> "Path | None":
    """Where the model's own tokenizer is, if it is here: a folder of the server's name, a package, the hub's cache."""
    from tasks.embed.local.weights import folder_at_hand  # what it imports is for local models

    folder = folder_at_hand(model) or folder_at_hand(hub_id)
    return folder if folder and (folder / "tokenizer.json").exists() else None


def _revision(config: embedders.OpenAIEmbedder) -> str:
    return json.dumps(config.extra_body, sort_keys=True) if config.extra_body else ""


def _dimension(row: PaidModel, config: embedders.OpenAIEmbedder) -> dict[str, object]:
    """Its own length, as configured or known, and which others may be asked for."""
    own = config.dimension or row.dimension
    return {"dimension": own, "any_size": row.any_size or config.force_dimensions}
