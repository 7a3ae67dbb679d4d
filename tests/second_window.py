"""A sync that stays in its second window, of one document each, as long as a file is there."""

SECOND_WINDOW = """
import sys, time
from pathlib import Path
from tasks.embed.hashing import HashingEmbedder
from tasks.runners import pace
from tasks.sync import progress
pace.FIRST_BYTES = pace.FIRST_DOCUMENTS = pace.MOST_DOCUMENTS = 1
progress.RECORD_SECONDS = 0.0
real, calls = HashingEmbedder._vectors, []
def slow(self, texts):
    calls.append(texts)
    while len(calls) > 1 and Path(sys.argv[-1]).exists():
        time.sleep(0.05)
    return real(self, texts)
HashingEmbedder._vectors = slow
from flows.cli import main
sys.exit(main(sys.argv[1:-1]))
"""
