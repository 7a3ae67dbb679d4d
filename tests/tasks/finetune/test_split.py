"""Nothing of the test is in the training: neither a question nor a document, under whatever name."""

import random
from collections.abc import Callable

import pytest

from tasks.finetune.pairs import Example
from tasks.finetune.split import NEAR_TEXT, Split, grouped, split_examples

SHARES = (0.1, 0.3)


def words(seed: int, count: int) -> str:
    dice = random.Random(seed)
    return " ".join("".join(dice.choices("abcdefghij", k=6)) for _ in range(count))


def plain(count: int) -> list[Example]:
    """Each question with a document of its own."""
    return [Example(words(2 * at, 6), words(2 * at + 1, 40), f"s:{at}.md") for at in range(count)]


def texts_of(examples: list[Example]) -> dict[str, str]:
    return {one.document: one.passage for one in examples}


def parts(split: Split) -> list[list[Example]]:
    return [split.train, split.validation, split.test]


def split_of(examples: list[Example], extra: list[Example] | None = None, **texts: str) -> Split:
    return split_examples(examples, extra or [], texts_of([*examples, *(extra or [])]) | texts, SHARES, seed=1)


def test_the_parts_have_their_shares_and_nothing_is_lost() -> None:
    split = split_of(plain(100))
    assert [len(part) for part in parts(split)] == [60, 10, 30]
    assert split.dropped == 0
    assert split == split_of(plain(100))
    assert split.test != split_examples(plain(100), [], texts_of(plain(100)), SHARES, seed=2).test


@pytest.mark.parametrize(
    "twin",
    [
        lambda one: Example(one.query.upper() + "?!", words(5001, 30), "s:other.md"),
        lambda one: Example(one.query + " now", words(5001, 30), "s:other.md"),
        lambda one: Example(f"  {one.query}\n", words(5001, 30), ""),
        lambda one: Example(words(5002, 5), words(5001, 30), one.document),
        lambda one: Example(words(5002, 5), one.passage, "s:copy.md"),
        lambda one: Example(words(5002, 5), one.passage.title() + " And one word more.", "s:copy.md"),
        lambda one: Example(words(5002, 5), f"# {one.passage}\n", ""),
    ],
)
def test_a_twin_of_the_test_is_not_trained_on(twin: Callable[[Example], Example]) -> None:
    split = split_of(plain(40))
    assert len(split.train) == 24
    for one in [*split.test, *split.validation]:
        trained = split_of(plain(40), [twin(one)])
        assert (len(trained.train), trained.dropped) == (24, 1)
    assert len(split_of(plain(40), [twin(split.train[0])]).train) == 25


def test_a_document_that_answers_questions_of_two_parts_is_in_the_later_one_alone() -> None:
    examples = plain(40)
    shared = [Example(one.query, words(5007, 40), "s:shared.md") for one in examples]
    split = split_of([*examples, *shared])
    assert "s:shared.md" in {one.document for one in split.test}
    assert "s:shared.md" not in {one.document for one in [*split.train, *split.validation]}
    assert {one.query for one in split.train} & {one.query for one in split.test} == set()
    assert split.dropped == 28


def test_a_copy_under_another_id_counts_as_the_document_though_other_parts_of_it_answer() -> None:
    book, copy = words(5003, 300), words(5003, 300).upper()
    examples = plain(40)
    examples[0] = Example(examples[0].query, book[:200], "s:book.md")
    examples[1] = Example(examples[1].query, copy[-200:], "s:copy.md")
    texts = texts_of(examples) | {"s:book.md": book, "s:copy.md": copy, "s:third.md": f"{book} The end."}
    for seed in range(8):
        split = split_examples(examples, [], texts, SHARES, seed)
        own = [{"s:book.md", "s:copy.md"} & {one.document for one in part} for part in parts(split)]
        assert sum(map(bool, own)) == 1
        assert ("s:third.md" in split.kept_apart) == ("s:book.md" in split.kept_apart) == (not own[0])


def test_questions_that_share_documents_stay_together_where_they_can() -> None:
    groups = [Example(words(1000 + at, 6), words(at // 4, 40), f"s:{at // 4}.md") for at in range(120)]
    split = split_of(groups)
    assert split.dropped <= 6
    held = [{one.document for one in part} for part in parts(split)]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]  # noqa: PT018


def test_near_twins_are_found_as_comparing_all_pairs_would() -> None:
    dice = random.Random(5)
    texts = {str(at): " ".join(dice.choices("abcdefghijklm", k=12)) for at in range(120)}
    texts |= {f"{at}*": f"{texts[str(at)]} {dice.choice('nop')}" for at in range(60)}
    numbers = grouped(texts, NEAR_TEXT)
    sets = {name: set(text.split()) for name, text in texts.items()}
    near = [
        (one, other)
        for one in sets
        for other in sets
        if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= NEAR_TEXT
    ]
    assert len(near) > 200
    assert all(numbers[one] == numbers[other] for one, other in near)
    assert len(set(numbers.values())) > 20


@pytest.mark.parametrize(
    "texts", [("軸受にグリースを塗る方法は何ですか", "軸受にグリースを塗る方法は何ですか!"), ("?!", "?!"), ("", "")]
)
def test_texts_without_words_are_told_apart(texts: tuple[str, str]) -> None:
    numbers = grouped({"a": texts[0], "b": texts[1], "c": "¿¿", "d": "門を閉める時はいつですか、教えて"}, NEAR_TEXT)
    assert numbers["a"] == numbers["b"]
    assert len({numbers["a"], numbers["c"], numbers["d"]}) == 3
