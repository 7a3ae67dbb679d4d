"""Parts for training, for choosing and for the test that know nothing of each other: by question and by document."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

from tasks.finetune.pairs import Example, normal

NEAR_QUERY, NEAR_TEXT = 0.7, 0.8  # share of their words that two texts have in common, which are then one
_SKETCH = 128  # words of a text that are compared: those of the smallest hashes, the same ones in all texts
_GRAM = 3  # characters, where words are not told apart by blanks
_LONG = 12


class Split(NamedTuple):
    """`dropped` counts examples that had a foot in two parts; `kept_apart` are documents of the two later parts."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]
    dropped: int
    kept_apart: frozenset[str]


class Nodes:
    """The questions, documents and texts of examples, each with a number that near twins share."""

    def __init__(self, examples: Sequence[Example], documents: Mapping[str, str]) -> None:
        """`documents` are texts by id: two ids with the same text are one document."""
        texts = {f"p{one.passage}": one.passage for one in examples}
        texts |= {f"d{one.document}": one.document for one in examples if one.document}
        texts |= {f"d{name}": text for name, text in documents.items()}
        self._queries = grouped({one.query: one.query for one in examples}, NEAR_QUERY)
        self._texts = grouped(texts, NEAR_TEXT)

    def query(self, example: Example) -> int:
        """The number of its question."""
        return self._queries[example.query]

    def holding(self, texts: set[int], documents: Iterable[str]) -> frozenset[str]:
        """Those of the documents whose number is among these."""
        return frozenset(name for name in documents if self._texts[f"d{name}"] in texts)

    def documents(self, example: Example) -> set[int]:
        """Those of its document and of its passage, which may stand in another one too."""
        names = [f"p{example.passage}", *([f"d{example.document}"] if example.document else [])]
        return {self._texts[name] for name in names}


def split_examples(
    examples: Sequence[Example],
    extra: Sequence[Example],
    documents: Mapping[str, str],
    shares: tuple[float, float],
    seed: int,
) -> Split:
    """`shares` of the questions are kept for validation and for the test; `extra` examples are for training alone.

    Questions that share documents go together, as far as the shares allow: where a group has to be cut, an example
    that touches a later part is dropped. The test keeps all of its own.
    """
    nodes = Nodes([*examples, *extra], documents)
    order = _order(examples, nodes, seed)
    sizes = [max(1, round(share * len(order))) for share in shares]
    parts = {query: 2 if at < sizes[1] else 1 if at < sum(sizes) else 0 for at, query in enumerate(order)}
    kept: tuple[list[Example], list[Example], list[Example]] = ([], [], [])
    queries, texts = set[int](), set[int]()  # of the later parts
    apart, total = frozenset[str](), len(examples) + len(extra)
    for part in (2, 1, 0):
        own = [one for one in examples if parts[nodes.query(one)] == part]
        if part == 0:
            own += extra
            apart = nodes.holding(texts, documents)
        free = [one for one in own if nodes.query(one) not in queries and not nodes.documents(one) & texts]
        kept[part].extend(free)
        queries.update(nodes.query(one) for one in free)
        texts.update(number for one in free for number in nodes.documents(one))
    return Split(*kept, dropped=total - sum(map(len, kept)), kept_apart=apart)


def grouped(texts: Mapping[str, str], near: float) -> dict[str, int]:
    """A number for each name; near twins have the same, and so have their near twins."""
    union = _Union(len(texts))
    words = [_words(text) for text in texts.values()]
    counts: dict[int, int] = defaultdict(int)
    for own in words:
        for word in own:
            counts[word] += 1
    holders: dict[int, list[int]] = defaultdict(list)
    for number, own in enumerate(words):
        rare = sorted(own, key=lambda word: (counts[word], word))
        # Two sets that have so much in common share one of these: the others are too few.
        for word in rare[: len(rare) - int(near * len(rare) + 0.999) + 1]:
            for other in holders[word]:
                if union.root(other) != union.root(number) and _share(own, words[other]) >= near:
                    union.join(other, number)
            holders[word].append(number)
    return {name: union.root(number) for number, name in enumerate(texts)}


class _Union:
    """Sets that are joined until nothing is left to join."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def root(self, number: int) -> int:
        while (parent := self._parents[number]) != number:
            self._parents[number] = number = self._parents[parent]
        return number

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        self._parents[second] = first  # so that more names at the end change no number


def _share(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other)


def _words(text: str) -> frozenset[int]:
    """Hashes of the words, whatever their case and punctuation; of a text without any, of itself."""
    hashes = {crc32(piece.encode()) for piece in _pieces(text) or [text]}
    return frozenset(sorted(hashes)[:_SKETCH])


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for word in normal(text).split():
        if len(word) <= _LONG or word.isascii():
            pieces.append(word)
        else:
            pieces += (word[at : at + _GRAM] for at in range(len(word) - _GRAM + 1))
    return pieces


def _order(examples: Sequence[Example], nodes: Nodes, seed: int) -> list[int]:
    """Questions as they are given to the parts: group after group, by chance."""
    asked: dict[int, set[int]] = defaultdict(set)
    asking: dict[int, set[int]] = defaultdict(set)
    for one in examples:
        for text in nodes.documents(one):
            asked[text].add(nodes.query(one))
            asking[nodes.query(one)].add(text)
    dice, left, order = random.Random(seed), sorted(asking), list[int]()  # noqa: S311 - nothing to keep secret
    dice.shuffle(left)
    seen = set[int]()
    for first in left:
        group, reached = [first] if first not in seen else [], {first} - seen
        for query in group:  # grows
            new = {near for text in asking[query] for near in asked[text]} - reached
            reached |= new
            group += sorted(new)
        seen |= reached
        dice.shuffle(group)
        order += group
    return order
