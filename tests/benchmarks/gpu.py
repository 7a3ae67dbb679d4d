"""Models of the usual shapes on a GPU, end to end, against their own forward pass over texts tokenised before.

Weights are random: only the shape decides how fast a model is. Without a GPU, --device cpu --tiny tries it out.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.embed.local.lanes import by_padded_tokens
from tasks.embed.local.runtime.base import Features, padded
from tasks.embed.local.runtime.loading import load_model
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.embed.local.weights import find_folder
from tests.tasks.embed.local.local_model import local

AIM = 0.8
ROUNDS = 3
TOKENS = 16_384  # padded tokens of a batch of the model alone
VOCABULARY = 30_522  # of the tokenizer that all of them get here


@dataclass(frozen=True)
class Shape:
    """`layers` of the width `hidden`; the keys of Qwen3 have fewer heads."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    inner: int
    more: dict[str, int]

    def config(self, *, tiny: bool) -> dict[str, int]:
        return {
            "vocab_size": VOCABULARY,
            "num_hidden_layers": 2 if tiny else self.layers,
            "hidden_size": 64 if tiny else self.hidden,
            "num_attention_heads": 4 if tiny else self.heads,
            "intermediate_size": 128 if tiny else self.inner,
            "max_position_embeddings": 512,
            "pad_token_id": 0,
            **self.more,
            **({"num_key_value_heads": 2, "head_dim": 16} if tiny and self.more else {}),
        }


SHAPES = {
    "minilm": Shape("Bert", 6, 384, 12, 1536, {}),
    "bge-large": Shape("Bert", 24, 1024, 16, 4096, {}),
    "qwen3-0.6b": Shape("Qwen3", 28, 1024, 16, 3072, {"num_key_value_heads": 8, "head_dim": 128}),
}


def main(arguments: Sequence[str] | None = None) -> list[str]:
    """Print and return one line a model."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda:0", help="one device, as torch names it")
    parser.add_argument("--models", nargs="+", choices=[*SHAPES], default=[*SHAPES], metavar="|".join(SHAPES))
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--tiny", action="store_true", help="two small layers, to try this out where no GPU is")
    chosen = parser.parse_args(arguments)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    texts = [" ".join(f"word {n * 7919 % 9973}" for n in range(5 + at * 37 % 70)) for at in range(chosen.texts)]
    lines: list[str] = []
    for name in chosen.models:
        with tempfile.TemporaryDirectory() as folder:
            model = build(SHAPES[name], Path(folder), tiny=chosen.tiny)
            lines.append(f"{name}: {compared(model, texts, chosen.device)}")
        print(lines[-1], flush=True)
    return lines


def build(shape: Shape, folder: Path, *, tiny: bool) -> Path:
    """A folder with the real tokenizer of MiniLM and random weights."""
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    config = getattr(transformers, f"{shape.architecture}Config")(**shape.config(tiny=tiny))
    getattr(transformers, f"{shape.architecture}Model")(config).save_pretrained(folder / "weights")
    tokenizer = str(find_folder("all-MiniLM-L6-v2", None) / "tokenizer.json")
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": 512}
    transformers.PreTrainedTokenizerFast(tokenizer_file=tokenizer, **named).save_pretrained(folder / "weights")
    body = Transformer(str(folder / "weights"))
    pooling = Pooling(config.hidden_size, "lasttoken" if shape.architecture == "Qwen3" else "cls")
    SentenceTransformer(modules=[body, pooling], device="cpu").save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def compared(model: Path, texts: Sequence[str], device: str) -> str:
    """Texts a second of both; in rounds by turns, and the best of each."""
    embedder = local(model=str(model), device=device, runtime="torch")
    ours, theirs = [], []
    alone: Any = None
    batches: list[Features] = []
    for _ in range(ROUNDS + 1):  # the first warms up, and finds the size of a batch
        started = time.perf_counter()
        done = sum(len(batch.rows) for batch in embedder.embed(texts, embedder.tokenizer.count(texts)))
        ours.append(time.perf_counter() - started)
        if done != len(texts):
            raise SystemExit(f"{done} of {len(texts)} texts have a vector")
        alone = alone or load_model(model, device, "bfloat16" if "bfloat16" in embedder.runtime else "float32")
        batches = batches or list(tokenised(embedder, texts))
        started = time.perf_counter()
        forward(alone, batches, device)
        theirs.append(time.perf_counter() - started)
    share = min(theirs[1:]) / min(ours[1:])
    speeds = f"{len(texts) / min(ours[1:]):.0f} texts a second, the model alone {len(texts) / min(theirs[1:]):.0f}"
    return f"{speeds}; {share:.2f} of it (aim {AIM}); {embedder.runtime}"


def tokenised(embedder: SentenceTransformersEmbedder, texts: Sequence[str]) -> Iterator[Features]:
    counts = embedder.tokenizer.count(texts)
    for rows in by_padded_tokens(counts, lambda: TOKENS):
        yield padded(embedder.tokenizer.loaded.encode_batch_fast([texts[row] for row in rows]), 0)


def forward(model: Any, batches: Sequence[Features], device: str) -> None:
    """Nothing comes back before the last one is done."""
    import torch

    with torch.inference_mode():
        for batch in batches:
            answer = model({name: torch.from_numpy(array).to(device) for name, array in batch.items()})
    answer["sentence_embedding"].cpu()


if __name__ == "__main__":
    main()
