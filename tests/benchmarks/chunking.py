"""Chunking pages of technical English on one core: processor time, not wall time, of all threads together."""

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

from config.embedders import HashingEmbedder, SentenceTransformersEmbedder
from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.local.sentence_transformers import SentenceTransformersEmbedder as LocalModel
from tasks.embed.open import open_embedder
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Tokenizer
from tests.benchmarks.corpus import pages
from tests.benchmarks.harness import Gate, Measurement, spread

CHARACTERS = 6_000_000
WINDOW = 100  # documents in a call
ROUNDS = 7


class Timed:
    """A tokenizer that takes the time of its counting."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.fingerprint, self.max_tokens = tokenizer.fingerprint, tokenizer.max_tokens
        self.separators = tokenizer.separators
        self.seconds = 0.0

    def count(self, texts: Sequence[str], /) -> list[int]:
        started = time.process_time()
        found = self._tokenizer.count(texts)
        self.seconds += time.process_time() - started
        return found


def measure() -> Iterator[Measurement]:
    documents = sample()
    megabytes = sum(len(document.text.encode()) for document in documents) / 1e6
    model = LocalModel(SentenceTransformersEmbedder(kind="sentence-transformers", device="cpu"))
    timed = Timed(model.tokenizer)
    chunks = split(timed, documents)  # loads and tries out the tokenizers
    shares: list[float] = []

    def run() -> None:
        split(timed, documents)

    speeds: list[float] = []
    for _ in range(ROUNDS):
        timed.seconds = 0.0
        seconds = processor_seconds(run)
        speeds.append(megabytes / seconds)
        shares.append(timed.seconds / seconds)
    detail = f"{megabytes:.1f} MB, {sum(map(len, chunks)):,} chunks; {spread(speeds, 1)}"
    yield Measurement("chunking, word pieces, per core", statistics.median(speeds), "MB/s", Gate(20, 35), detail)
    yield Measurement("of it in the tokenizer", 100 * statistics.median(shares), "%")
    words = open_embedder(HashingEmbedder(kind="hashing")).tokenizer
    speeds = [megabytes / processor_seconds(lambda: split(words, documents)) for _ in range(ROUNDS)]
    yield Measurement("chunking, words, per core", statistics.median(speeds), "MB/s", None, spread(speeds, 1))
    over, wrong = miscounted(model, chunks)
    yield Measurement("chunks over the limit", over, "", Gate(0, is_ceiling=True), "counted with tokenizers")
    yield Measurement("chunks with other tokens than said", wrong, "", Gate(0, is_ceiling=True), "the same")
    lost = sum(map(lost_characters, documents, chunks))
    yield Measurement("characters lost", lost, "", Gate(0, is_ceiling=True), "white space aside")


def sample() -> list[Document]:
    """Whole pages."""
    found: list[Document] = []
    left = CHARACTERS
    for number, text in enumerate(random.Random(1).sample(pages(), len(pages()))):
        if left <= 0:
            break
        left -= len(text)
        found.append(Document(DocumentRef(DocumentId(f"s:{number}"), "s", f"{number}.md"), text, "markdown"))
    return found


def split(tokenizer: Tokenizer, documents: Sequence[Document]) -> list[list[Chunk]]:
    chunker = open_chunker(Chunking(), tokenizer)
    windows = (documents[start : start + WINDOW] for start in range(0, len(documents), WINDOW))
    return [chunks for window in windows for chunks in chunker.split(window)]


def processor_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def miscounted(model: LocalModel, chunks: Sequence[Sequence[Chunk]]) -> tuple[int, int]:
    """Chunks that the model cannot read whole, and chunks whose tokens are not those that `tokenizers` finds."""
    all_of_them = [chunk for found in chunks for chunk in found]
    counts = [len(one) for one in model.tokenizer.loaded.encode_batch_fast([chunk.embedded for chunk in all_of_them])]
    over = sum(count > model.space.max_tokens for count in counts)
    return over, sum(chunk.tokens != count for chunk, count in zip(all_of_them, counts, strict=True))


def lost_characters(document: Document, chunks: Sequence[Chunk]) -> int:
    """That are in no chunk and no white space."""
    end = lost = 0
    for chunk in chunks:
        lost += len("".join(document.text[end : chunk.start].split()))
        end = chunk.start + len(chunk.text)
    return lost + len("".join(document.text[end:].split()))
