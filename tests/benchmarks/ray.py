"""Texts a second of a model on the nodes of a Ray cluster, beside the same model here.

With as many cores there as here the ratio is what the way costs; with more it is what the cluster brings. Without an
address it starts two clusters here, one after the other: one node with all cores, and a node for each core.
"""

import argparse
import os
import sys
import time
from argparse import Namespace

from config.embedders import SentenceTransformersEmbedder as Config
from config.runner import RayRunner
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder
from tasks.system.file_system import user_cache
from tasks.system.ray_cluster import RayCluster
from tests.benchmarks.corpus import pages
from tests.ray_cluster import LIGHT, RayNodes


def rate(embedder: SentenceTransformersEmbedder, chosen: list[str]) -> float:
    tokens = embedder.tokenizer.count(chosen)
    started = time.perf_counter()
    rows = sum(len(batch.rows) for batch in embedder.embed(chosen, tokens))
    assert rows == len(chosen)
    return rows / (time.perf_counter() - started)


def main() -> None:
    """Measures at an address, or on clusters of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", help="of the cluster's head")
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpus", type=float, help="that an actor takes; default: those of the smallest node")
    options = parser.parse_args()
    if options.address:
        measure(options.address, options)
        return
    os.environ |= LIGHT
    cores = os.cpu_count() or 1
    for nodes, cpus in ((1, cores), (cores, 1)):
        with RayNodes(nodes, user_cache().parent, cpus) as cluster:
            measure(cluster.address, options)


def measure(address: str, options: Namespace) -> None:
    """Prints a line for each of the paired rounds; on stderr, since Ray has the other."""
    text = "\n".join(pages())
    chosen = [text[at * 430 : at * 430 + 430] for at in range(min(options.texts, len(text) // 430))]
    embed = {"num_cpus": options.cpus} if options.cpus else {}
    cluster = RayCluster(RayRunner.model_validate({"kind": "ray", "address": address, "embed": embed}))
    config = Config.model_validate({"kind": "sentence-transformers"})
    here, there = SentenceTransformersEmbedder(config), SentenceTransformersEmbedder(config, cluster.embed)
    counted = zip(chosen, here.tokenizer.count(chosen), strict=True)
    chosen = [text for text, tokens in counted if tokens <= here.space.max_tokens]  # signs alone are many tokens
    try:
        for embedder in (here, there):
            rate(embedder, chosen[:16])  # the weights are loaded
        for _ in range(options.rounds):
            own, remote = rate(here, chosen), rate(there, chosen)
            sys.stderr.write(f"here {own:.1f} texts/s, {there.runtime}: {remote:.1f}, {remote / own:.2f}x\n")
    finally:
        there.close()
        cluster.close()


if __name__ == "__main__":
    main()
