"""The table of embedding models, as a person reads it."""

from collections.abc import Sequence

from tasks.embed.catalogue import ModelStatus

_HEADER = ("model", "kind", "vectors", "tokens", "$ per million", "licence", "here")


def models_text(models: Sequence[ModelStatus]) -> str:
    """One line a model, and below what keeps some of them from running here."""
    rows = [_HEADER, *map(_row, models)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    reasons: dict[str, list[str]] = {}
    for model in models:
        if model.why_not:
            reasons.setdefault(model.why_not, []).append(model.model)
    why = [f"  {reason}: {', '.join(names)}" for reason, names in reasons.items()]
    return "\n".join([*lines, *(["", "not here as it is:", *why] if why else [])])


def _row(model: ModelStatus) -> tuple[str, ...]:
    price = model.usd_per_million_tokens
    return (
        model.model,
        model.kind,
        str(model.dimension),
        f"{model.max_tokens:,}" if model.max_tokens else "any",
        "?" if price is None else f"{price:g}" if price else "-",
        model.licence or "-",
        "yes" if model.runs_here else "no",
    )
