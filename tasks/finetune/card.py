"""A model's card: what it was made of, how, and what it achieves; without a word of the corpus."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

_LIBRARIES = ("sentence-transformers", "transformers", "torch")
_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
base_model: {base}
{licence}---
# {base}, fine-tuned for {pipeline}

{sentence}, on {queries} held-out questions whose documents are held out too.
{synthetic}
| search | measure | before | after | difference | 95 % interval |
|---|---|---|---|---|---|
{rows}

## Data

Pairs of a question and a text that answers it: {kinds}.
{train:,} were trained on, {validation:,} chose the best step, {test:,} are the test;
{dropped:,} were dropped because their question or document, or a near twin of it, stands in a later part.

## Training

MultipleNegativesRankingLoss{matryoshka}.
{steps} steps; the weights are those of step {best_step}, whose validation nDCG@10 was
{best:.4f}, against {before:.4f} before.
Settings: {settings}.
Libraries: {libraries}.

## Use

In a pipeline of Headrace: `model:` under `embedder` is this folder; then `headrace rebuild`.
"""
_SYNTHETIC = "\nNobody judged these questions: they are the corpus's own titles, docstrings and links.\n"


def card(made: Mapping[str, Any], licence: str) -> str:
    """Markdown, from what `finetune --json` tells."""
    pairs, settings = made["pairs"], made["settings"]
    kinds = [f"{pairs[kind]:,} {kind}" for kind in ("judgments", "pairs", "mined", "mix") if kind in pairs]
    return _CARD.format(
        **{name: made[name] for name in ("base", "pipeline", "queries")},
        **{name: pairs[name] for name in ("train", "validation", "test", "dropped")},
        **made["training"],
        licence=f"license: {licence}\n" if licence else "",
        sentence=made["sentence"][:1].upper() + made["sentence"][1:],
        synthetic=_SYNTHETIC if made["synthetic"] else "",
        rows="\n".join(_rows(made["modes"])),
        kinds=", ".join(kinds),
        matryoshka=f", with MatryoshkaLoss for {settings['sizes']} numbers" if settings["sizes"] else "",
        settings=", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items()),
        libraries=", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    )


def _rows(modes: Mapping[str, Any]) -> Iterator[str]:
    for mode, trial in modes.items():
        for name, before in trial["before"].items():
            after, gain, (low, high) = trial["after"][name], trial["difference"][name], trial["confidence"][name]
            yield f"| {mode} | {name} | {before:.4f} | {after:.4f} | {gain:+.4f} | {low:+.4f} to {high:+.4f} |"
