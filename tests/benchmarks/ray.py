"""Texts a second of a model on the nodes of a Ray cluster, beside the same model here.

With as many cores there as here the ratio is what the way costs; with more it is what the cluster brings.
"""

import argparse
import time

from config.embedders import SentenceTransformersEmbedder as Config
from config.runner import RayRunner
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.system.ray_cluster import RayCluster
from tests.benchmarks.corpus import pages


def rate(embedder: SentenceTransformersEmbedder, chosen: list[str]) -> float:
    tokens = embedder.tokenizer.count(chosen)
    started = time.perf_counter()
    rows = sum(len(batch.rows) for batch in embedder.embed(chosen, tokens))
    assert rows == len(chosen)
    return rows / (time.perf_counter() - started)


def main() -> None:
    """Prints a line for each of the paired rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpus", type=float, help="that an actor takes; default: those of the smallest node")
    options = parser.parse_args()
    text = "\n".join(pages())
    chosen = [text[at * 430 : at * 430 + 430] for at in range(min(options.texts, len(text) // 430))]
    embed = {"num_cpus": options.cpus} if options.cpus else {}
    cluster = RayCluster(RayRunner.model_validate({"kind": "ray", "address": options.address, "embed": embed}))
    config = Config.model_validate({"kind": "sentence-transformers"})
    here, there = SentenceTransformersEmbedder(config), SentenceTransformersEmbedder(config, cluster.embed)
    counted = zip(chosen, here.tokenizer.count(chosen), strict=True)
    chosen = [text for text, tokens in counted if tokens <= here.space.max_tokens]  # signs alone are many tokens
    try:
        for embedder in (here, there):
            rate(embedder, chosen[:16])  # the weights are loaded
        for _ in range(options.rounds):
            own, remote = rate(here, chosen), rate(there, chosen)
            print(f"here {own:.1f} texts/s, {there.runtime}: {remote:.1f}, {remote / own:.2f}x")
    finally:
        there.close()
        cluster.close()


if __name__ == "__main__":
    main()
