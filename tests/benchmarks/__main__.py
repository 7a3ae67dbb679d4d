"""`make bench` prints the table; `python -m tests.benchmarks NAME…` only these parts. Nothing here is asserted.

`--long` adds what takes many minutes.

Each part is a module with a function `measure` that yields its rows as soon as they are known.
"""

import importlib
import os
import sys

from tasks.system.garbage import look_rarely
from tests.benchmarks.harness import HEADER, machine, say

PARTS = (
    *("chunking", "html", "pdf", "office", "embedding", "api", "answering", "syncing", "overhead", "state", "whole"),
    "tracked",
)
LONG_PARTS = ("memory", "int8", "rows", "stores")


def main(names: list[str]) -> None:
    look_rarely()  # as in the command itself
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["PREFECT_API_URL"] = ""
    sys.stdout.write(f"{machine()}\n\n{HEADER}\n")
    is_long = "--long" in names
    wanted = [name for name in names if name != "--long"] or [*PARTS, *(LONG_PARTS if is_long else ())]
    for name in wanted:
        for measurement in importlib.import_module(f"tests.benchmarks.{name}").measure():
            say(measurement)


if __name__ == "__main__":
    main(sys.argv[1:])
