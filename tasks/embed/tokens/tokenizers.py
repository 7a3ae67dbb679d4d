"""Counting tokens as the embedder does, without loading the embedder."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.embed.tokens.fast_count import SEPARATORS, FastCounter, exact_counts, open_fast_counter, reads_words_apart

if TYPE_CHECKING:
    import tiktoken
    from tokenizers import Encoding, Tokenizer

WORD = re.compile(r"\w+|[^\w\s]")
# Each ASCII character as the pattern above sees it: part of a word, a mark of its own, or white space.
KINDS = bytes(b"w"[0] if WORD.fullmatch(chr(n) * 2) else b"."[0] if WORD.match(chr(n)) else b" "[0] for n in range(128))
_TABLE = KINDS + bytes(128)
FEW_CHARACTERS = 200_000  # counted by `tokenizers` in the time that it takes to try out the fast way


class ModelTokenizer:
    """A model folder's tokenizer.json."""

    def __init__(self, folder: Path, prefix: str, max_tokens: int, *, is_bare: bool = False) -> None:
        """`prefix` is put before every document; `max_tokens` is what the model reads, special tokens included.

        A model that is only a table of vectors `is_bare`: it reads no special tokens.
        """
        self._path = folder / "tokenizer.json"
        self.prefix = prefix
        self.max_tokens = max_tokens
        self._is_bare = is_bare
        self._characters = 0  # counted so far

    def __reduce__(self) -> tuple[object, ...]:
        """Another process loads the file anew."""
        return partial(type(self), is_bare=self._is_bare), (self._path.parent, self.prefix, self.max_tokens)

    @cached_property
    def loaded(self) -> "Tokenizer":
        """Some files carry truncation and padding, which would cut texts in silence: both are taken out."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if self._is_bare:
            tokenizer.post_processor = None
        return tokenizer

    def cut(self, text: str) -> "Encoding":
        """The tokens of as much of the text as the model reads, between the special ones that it waits for."""
        encoding = self.loaded.encode(text)
        if len(encoding) <= self.max_tokens:
            return encoding
        encoding = self.loaded.encode(text, add_special_tokens=False)
        encoding.truncate(self.max_tokens - self.loaded.num_special_tokens_to_add(is_pair=False))
        return self.loaded.post_process(encoding)

    @property
    def fingerprint(self) -> str:
        """A hash of the file, the prefix and the limit."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(self._path.read_bytes())
        digest.update(f"{self.prefix}\0{self.max_tokens}".encode())
        return digest.hexdigest()[:16]

    @property
    def separators(self) -> str:
        """BERT's tokenizers read words apart, behind a prefix that does not touch the first of them."""
        return self._separators

    @cached_property
    def _separators(self) -> str:
        ends_apart = not self.prefix or self.prefix[-1] in SEPARATORS
        return SEPARATORS if ends_apart and reads_words_apart(self.loaded) else ""

    @cached_property
    def _fast(self) -> FastCounter | None:
        """Tried out before its first use; None where only `tokenizers` is right."""
        return open_fast_counter(self._path, self.loaded)

    def count(self, texts: Sequence[str], /) -> list[int]:
        """Tokens as sent, with prefix and special ones. The fast way has to be tried out first: it begins with many."""
        sent = [self.prefix + text for text in texts] if self.prefix else texts
        self._characters += sum(map(len, sent))
        fast = self._fast if self._characters > FEW_CHARACTERS else None
        return fast.count(sent) if fast else exact_counts(self.loaded, sent)


class TiktokenTokenizer:
    """A byte-pair encoding of OpenAI's; its vocabulary comes with the package, not from the network."""

    def __init__(self, encoding: str, max_tokens: int, prefix: str = "") -> None:
        """`encoding` is a name that tiktoken knows; `prefix` is put before every document."""
        self._name = encoding
        self._prefix = prefix
        self.max_tokens = max_tokens
        self.fingerprint = f"{encoding}/{max_tokens}" + (f"/{prefix}" if prefix else "")

    def __reduce__(self) -> tuple[object, ...]:
        """Another process loads the vocabulary anew."""
        return type(self), (self._name, self.max_tokens, self._prefix)

    @cached_property
    def _encoding(self) -> "tiktoken.Encoding":
        import tiktoken

        return tiktoken.get_encoding(self._name)

    @property
    def separators(self) -> str:
        """A token may begin with the space before a word."""
        return ""

    def count(self, texts: Sequence[str], /) -> list[int]:
        """The API adds no special tokens. One by one: handing short texts to other threads costs more than it wins."""
        encode = self._encoding.encode_ordinary
        return [len(encode(self._prefix + text)) for text in texts]


class WordTokenizer:
    """Words and punctuation marks."""

    fingerprint = "words-1"
    separators = SEPARATORS

    def __init__(self, max_tokens: int) -> None:
        """There is no natural limit; this one only keeps texts reasonable."""
        self.max_tokens = max_tokens

    def count(self, texts: Sequence[str], /) -> list[int]:
        """Nothing is added to a text."""
        return [_words(text) for text in texts]


def _words(text: str) -> int:
    if not text.isascii():
        return len(WORD.findall(text))
    kinds = text.encode().translate(_TABLE)
    return kinds.count(b".") + kinds.count(b" w") + kinds.count(b".w") + kinds.startswith(b"w")
