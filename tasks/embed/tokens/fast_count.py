"""Counting word pieces with `tokie`, fifteen times as fast as `tokenizers`, where both are known to agree.

What is known: for BERT's normaliser and word pieces, over text of the characters named here. Every one of these
characters was compared in several surroundings, for all settings of the normaliser; outside them are characters that
the two libraries know from different versions of Unicode. All other texts and models are counted by `tokenizers`.
"""

import re
from collections.abc import Sequence
from itertools import compress
from operator import not_
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.embed.tokens.probes import counting_texts

if TYPE_CHECKING:
    import tokie
    from tokenizers import Tokenizer

SEPARATORS = " \t\n\r"
MOST_ADDED_TOKENS = 32  # BERT has five; more of them cannot all be tried out
# Blocks that have been complete for many versions of Unicode, without their unassigned places.
_UNPROVEN = re.compile(
    "[^\\x00-\\x7e\\x80-\\u0377\\u0384-\\u038a\\u038c\\u038e-\\u03a1\\u03a3-\\u052f\\u0591-\\u05c7\\u05d0-\\u05ea"
    "\\u0600-\\u061c\\u061e-\\u06ff\\u0900-\\u097f\\u0e01-\\u0e3a\\u0e3f-\\u0e5b\\u10d0-\\u10fa\\u1e00-\\u1eff"
    "\\u2000-\\u2064\\u2070\\u2071\\u2074-\\u208e\\u20a0-\\u20bf\\u2100-\\u218b\\u2190-\\u2426\\u2460-\\u2b73"
    "\\u3000-\\u303f\\u3041-\\u3096\\u3099-\\u30ff\\u3400-\\u4db5\\u4e00-\\u9fef\\uac00-\\ud7a3\\ufb00-\\ufb06"
    "\\ufe00-\\ufe0f\\uff01-\\uffbe\\ufffd\\U0001f300-\\U0001f64f\\U0001f680-\\U0001f6c5\\U0001f900-\\U0001f9ff]"
)


def is_proven(text: str) -> bool:
    """Whether the text has no character but those on which the two libraries were compared."""
    return "\x7f" not in text if text.isascii() else _UNPROVEN.search(text) is None


def reads_words_apart(tokenizer: "Tokenizer") -> bool:
    """Whether this is BERT's way to cut: no token spans a white space, and none comes of it."""
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    normalizer, added = tokenizer.normalizer, tokenizer.get_added_tokens_decoder().values()
    return (
        isinstance(tokenizer.model, WordPiece)
        and isinstance(normalizer, BertNormalizer)
        and normalizer.clean_text
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
        and len(added) <= MOST_ADDED_TOKENS
        and not any(token.content.strip() != token.content or len(token.content.split()) != 1 for token in added)
    )


class FastCounter:
    """Counts as `tokenizers` does: by `tokie` where that is proven, by `tokenizers` itself elsewhere."""

    def __init__(self, exact: "Tokenizer", fast: "tokie.Tokenizer") -> None:
        """Both were read from the same file."""
        self._exact = exact
        self._fast = fast
        self._added = exact.num_special_tokens_to_add(is_pair=False)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, with the special ones; one call of each library at most."""
        are_proven = list(map(is_proven, texts))
        if all(are_proven):
            return [count + self._added for count in self._fast.count_tokens_batch(list(texts))]
        proven = iter(self._fast.count_tokens_batch(list(compress(texts, are_proven))))
        others = iter(exact_counts(self._exact, list(compress(texts, map(not_, are_proven)))))
        return [next(proven) + self._added if is_fast else next(others) for is_fast in are_proven]


def exact_counts(tokenizer: "Tokenizer", texts: Sequence[str]) -> list[int]:
    """The reference: tokens of each text, special ones included."""
    return [len(encoding) for encoding in tokenizer.encode_batch_fast(list(texts))]


def open_fast_counter(path: Path, exact: "Tokenizer") -> FastCounter | None:
    """A fast counter; None where `tokie` is missing, cannot read the file, or differs from `tokenizers` on a text."""
    if not reads_words_apart(exact):
        return None
    try:
        import tokie

        fast = tokie.Tokenizer.from_json(str(path))
        fast.no_truncation()
        fast.no_padding()
        added = [token.content for token in exact.get_added_tokens_decoder().values()]
        texts = counting_texts(added, exact.model.max_input_chars_per_word)
        found = [list(encoding.ids) for encoding in fast.encode_batch(texts)]
    except Exception:
        return None  # whatever is wrong with it, there is a library that can do without
    expected = exact.encode_batch_fast(texts)
    if any(ids != encoding.ids for ids, encoding in zip(found, expected, strict=True)):
        return None
    counter = FastCounter(exact, fast)
    return counter if counter.count(texts) == [len(encoding) for encoding in expected] else None
