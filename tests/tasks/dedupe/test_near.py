"""Samples of texts: what they tell of a change, and what they leave out."""

import random
import time

import pytest

from tasks.dedupe.near import MOST_LEADERS, Groups, likeness, pairs_of, sample, without
from tasks.records import Document, DocumentId, DocumentRef

WORDS = [f"{first}{second}" for first in ("ka", "lo", "mi", "ter", "ven") for second in ("du", "sha", "ro", "pli")]


def sampled(text: str) -> bytes:
    return sample(pairs_of(Document(DocumentRef(DocumentId("d:x"), "d", "x"), text)))


def kept(before: str, after: str) -> float:
    former = sampled(before)
    pairs = pairs_of(Document(DocumentRef(DocumentId("d:x"), "d", "x"), after))
    return 1 - len(without(former, pairs)) / len(former)


@pytest.mark.parametrize(
    "text",
    ["", " \n", "***", "12:30", "word", "\u6c34\u8eca\u306e\u672c", "\0", "\ud800", "a" * 1000, "\u0e2a\u0e27\u0e31"],
)
def test_every_text_has_a_sample(text: str) -> None:
    assert len(sampled(text)) % 4 == 0


def test_what_a_machine_writes_anew_changes_nothing() -> None:
    text = "Served at {} for {} by {}, with the code {}."
    one = text.format("12:30:01", "10.0.0.7", "host-7.example.org", "3f2a" * 20)
    other = text.format("23:59:59", "192.168.1.1", "www.example.com", "QmFzZTY0" * 9 + "==")
    assert sampled(one) == sampled(other)


@pytest.mark.parametrize("size", [10, 40, 3000])
def test_a_text_in_a_longer_one_is_kept_whole(size: int) -> None:
    dice = random.Random(size)
    text = " ".join(dice.choices(WORDS, k=size))
    assert kept(text, f"{' '.join(dice.choices(WORDS, k=5000))}\n{text.upper()}") > 0.96
    assert kept(text, "something else altogether") == 0


def test_scripts_without_spaces_are_compared_by_their_signs() -> None:
    signs = [chr(0x4E00 + number) for number in range(500)]
    text = "".join(random.Random(1).choices(signs, k=300))
    assert kept(text, f"{text[:150]}\u3002{text[150:]}") > 0.9
    assert kept(text, "".join(random.Random(2).choices(signs, k=300))) < 0.2


def test_likeness_is_near_the_truth() -> None:
    dice = random.Random(3)
    own = [f"w{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(600)]
    dice.shuffle(own)
    one, other = " ".join(own[:400]), " ".join(own[200:])
    likely = likeness(*(frozenset(memoryview(sampled(text)).cast("I")) for text in (one, other)))
    assert abs(likely - 199 / 599) < 0.25


def test_groups_stay_fast_and_small() -> None:
    """Ten times as many documents as are remembered, with a pair that all have: work for each stays the same."""
    groups, common = Groups(), (1).to_bytes(4, "little")
    dice = random.Random(4)
    started = time.process_time()
    for number in range(3 * MOST_LEADERS):
        numbers = sorted(dice.sample(range(2, 1 << 32), 10))
        groups.leader(DocumentId(str(number)), common + b"".join(n.to_bytes(4, "little") for n in numbers))
    assert time.process_time() - started < 60
    assert sum(map(len, groups._leaders.values())) <= 8 * MOST_LEADERS
