"""Which texts are nearly the same, by a sample of their pairs of words, small enough to be kept for each document.

What a machine writes into a page anew each time (numbers, dates, addresses, tokens) counts as one and the same word,
but where nearly all is of that kind: of a list of parts, a log or a program that is what it says.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tasks.records import Document, DocumentId
from tasks.windows import DocumentChange

SAMPLE = 32  # pairs of words that stand for a text; a share of them is right to about 0.09
NEARLY = 0.5  # of the pairs that two texts have, those in both
KEYS = 8  # two texts that are nearly the same have one of their first pairs in common, 98 times of 100 at least
LEADERS_PER_KEY = 8
MOST_LEADERS = 20_000
LONGEST_WORD = 40  # what is longer was made by a machine
FEW_MADE = 16  # words that a machine made, as a page of an error may have them
LONGEST_NUMBER = 20  # of a part or a moment; what is longer is a token or a hash, wherever it stands

_NOTHING, _MACHINE_MADE = 0, 1
_MARKS = "\"'`*#.,:;!?()[]{}<>|~_-\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u3001\u3002\uff0c\uff01\uff1a\uff1f"
_SIGNS = re.compile(r"[\d/=%&@_\\$+<>{}()\[\].:]")
_WITHOUT_SPACES = re.compile("([\u0e01-\u0e2e\u3040-\u30ff\u3400-\u9fff])")  # scripts whose words are not parted
_PACKED = re.compile(r"\S{200,}")  # a program's data, say, without a blank: no token is as long
_BETWEEN = re.compile(r'[{}\[\]",:;()<>]+')
_FACTORS = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9

Pairs = NDArray[np.uint32]


def pairs_of(document: Document) -> Pairs:
    """Those of its text, or of its picture."""
    return pairs_in(document.text, document.image.digest if document.image else "")


def pairs_in(text: str, picture: str = "") -> Pairs:
    """A number for each pair of words that follow each other, sorted; the digest of a picture has one of its own."""
    if picture:
        return np.array([crc32(picture.encode())], dtype=np.uint32)
    text = text if text.isascii() else _WITHOUT_SPACES.sub(r" \1 ", text)
    parts = _PACKED.sub(lambda packed: _BETWEEN.sub(" ", packed[0]), text).split()
    numbers = [_number(word) if len(word) <= LONGEST_WORD else _MACHINE_MADE for word in parts]
    count = numbers.count(_MACHINE_MADE)
    if count > FEW_MADE and 2 * count > len(numbers) - numbers.count(_NOTHING):
        pairs = zip(numbers, parts, strict=True)
        numbers = [_literal(part) if one == _MACHINE_MADE and _is_said(part) else one for one, part in pairs]
    words = np.array(numbers, dtype=np.uint64)
    words = words[words != _NOTHING]
    made = words == _MACHINE_MADE
    is_first = np.ones(len(words), dtype=bool)  # of those in a row
    is_first[1:] = ~(made[1:] & made[:-1])
    words = words[is_first]
    first, second = (words[:-1], words[1:]) if len(words) > 1 else (words, words)
    mixed = (first * np.uint64(_FACTORS[0]) ^ second) * np.uint64(_FACTORS[1])
    return np.unique((mixed >> np.uint64(32)).astype(np.uint32))


def sample(pairs: Pairs) -> bytes:
    """The smallest numbers: of two texts that share pairs, the samples share them too."""
    return pairs[:SAMPLE].astype("<u4").tobytes()


def joined(some: bytes, others: bytes) -> bytes:
    """The sample of two texts together."""
    return sample(np.union1d(pairs_from(some), pairs_from(others)))


def comparable(former: bytes, sampled: bytes) -> bytes:
    """What of the first sample would be in the second, if the second text had it."""
    numbers, others = pairs_from(former), pairs_from(sampled)
    return former if len(others) < SAMPLE else numbers[numbers <= others[-1]].tobytes()


def pairs_from(sampled: bytes) -> Pairs:
    """Those of a sample."""
    return np.frombuffer(sampled, dtype="<u4")


def without(former: bytes, pairs: Pairs) -> bytes:
    """What of this sample is not in the text with these pairs."""
    numbers = pairs_from(former)
    return numbers[~np.isin(numbers, pairs)].tobytes()


def lose_their_own(changes: Sequence[DocumentChange]) -> Iterator[DocumentChange]:
    """Those that do not keep half of what they had and most of the others had not, such as all but the navigation.

    Where they had nothing of their own but a number, half of all they had, and something else stands in its place.
    """
    samples = [_numbers(change.former) for change in changes]
    documents = Counter(pair for pairs in samples for pair in pairs)
    for change, pairs in zip(changes, samples, strict=True):
        own = {pair for pair in pairs if 2 * documents[pair] <= max(2, len(changes))}
        if not change.former or (not own and not change.is_shrunk and _is_part(change)):
            lost = not change.former
        else:
            lost = 2 * len((own or pairs) & _numbers(change.lost)) > len(own or pairs)
        if lost:
            yield change


def _is_part(change: DocumentChange) -> bool:
    """Whether half of the new text was in the old one."""
    former, pairs = _numbers(change.former), _numbers(change.sample)
    limit = max(former) if len(former) == SAMPLE else 1 << 32
    seen = [pair for pair in pairs if pair <= limit]
    return 2 * sum(pair in former for pair in seen) >= max(1, len(seen))


class Groups:
    """Texts by the first one that was seen of those that are nearly the same; the oldest are forgotten in time."""

    def __init__(self) -> None:
        self._leaders: dict[int, deque[tuple[DocumentId, frozenset[int]]]] = self._empty()
        self._count = 0

    def leader(self, document: DocumentId, sampled: bytes) -> DocumentId:
        """The first document like this one; itself where there was none."""
        pairs = _numbers(sampled)
        keys = sorted(pairs)[:KEYS]
        for key in keys:
            for leader, others in self._leaders.get(key, ()):
                if leader == document or likeness(pairs, others) >= NEARLY:
                    return leader
        if self._count >= MOST_LEADERS:
            self._leaders, self._count = self._empty(), 0
        for key in keys:
            self._leaders[key].append((document, pairs))
        self._count += 1
        return document

    @staticmethod
    def _empty() -> dict[int, deque[tuple[DocumentId, frozenset[int]]]]:
        return defaultdict(lambda: deque(maxlen=LEADERS_PER_KEY))


def likeness(some: frozenset[int], others: frozenset[int]) -> float:
    """The share of the pairs of two texts that both have, as far as the samples tell."""
    ends = [max(pairs) for pairs in (some, others) if len(pairs) == SAMPLE]
    limit = min(ends, default=1 << 32)
    union = [pair for pair in some | others if pair <= limit]
    return sum(pair in some and pair in others for pair in union) / len(union) if union else 0.0


def _numbers(sampled: bytes) -> frozenset[int]:
    return frozenset(pairs_from(sampled).tolist())


@lru_cache(maxsize=1 << 16)
def _number(word: str) -> int:
    bare = word.strip(_MARKS).casefold()
    if not bare:
        return _NOTHING
    return _MACHINE_MADE if _SIGNS.search(bare) else _literal(bare)


def _is_said(word: str) -> bool:
    return len(word) <= LONGEST_NUMBER and not word.lower().startswith("0x")


def _literal(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass")) + 2
