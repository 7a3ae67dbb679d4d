"""Headrace beside the systems that do the same job, each in its own environment, on the same pages.

    python -m tests.benchmarks.peers                              all systems: 5,000 files hashed, 60 with MiniLM
    python -m tests.benchmarks.peers SYSTEM… --files N --embedder hashing|minilm
    python -m tests.benchmarks.peers --table                      the table of what is kept, measuring nothing

All peers embed with the same function, which costs next to nothing, or with the same model. Their splitters are set to
make about as many chunks of the corpus as Headrace does. Every sync is a process of its own, timed from start to end.
"""

import argparse
import sys

from tests.benchmarks.peers.results import keep, tables
from tests.benchmarks.peers.scenario import Place, play
from tests.benchmarks.peers.setup import HOME, install
from tests.benchmarks.peers.systems import EMBEDDERS, SYSTEMS, System

FILES = {"hashing": 5000, "minilm": 60}


def measure(system: System, embedder: str, files: int) -> None:
    if system.peer:
        install(system.peer)
    results = []
    for result in play(Place(system, HOME / "work" / system.name, embedder), files):
        results.append(result)
        sys.stderr.write(f"{system.name}, {files} files, {embedder}: {result}\n")
        keep(system.name, embedder, files, results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = {system.name: system for system in SYSTEMS}
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"of {', '.join(known)}")
    parser.add_argument("--files", type=int)
    parser.add_argument("--embedder", choices=sorted(EMBEDDERS))
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.systems) - set(known):
        parser.error(f"{sorted(unknown)} is not one of {list(known)}")
    if not given.table:
        for embedder in [given.embedder] if given.embedder else EMBEDDERS:
            for name in given.systems or known:
                measure(known[name], embedder, given.files or FILES[embedder])
    sys.stdout.write("\n".join(tables()) + "\n")


if __name__ == "__main__":
    main()
