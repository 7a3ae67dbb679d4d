"""Counting tokens as the embedder does, without loading the embedder."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding
    from tokenizers import Tokenizer

WORD = re.compile(r"\w+|[^\w\s]")


class ModelTokenizer:
    """A model folder's tokenizer.json."""

    def __init__(self, folder: Path, prefix: str, max_tokens: int) -> None:
        """`prefix` is put before every document; `max_tokens` is what the model reads, special tokens included."""
        self._path = folder / "tokenizer.json"
        self._prefix = prefix
        self.max_tokens = max_tokens

    @cached_property
    def loaded(self) -> "Tokenizer":
        """Some files carry truncation and padding, which would cut texts in silence: both are taken out."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @property
    def fingerprint(self) -> str:
        """Of the file, the prefix and the limit."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(self._path.read_bytes())
        digest.update(f"{self._prefix}\0{self.max_tokens}".encode())
        return digest.hexdigest()[:16]

    def count(self, texts: Sequence[str], /) -> list[int]:
        """As sent: with prefix and special tokens."""
        encodings = self.loaded.encode_batch_fast([self._prefix + text for text in texts])
        return [len(encoding) for encoding in encodings]


class TiktokenTokenizer:
    """A byte-pair encoding of OpenAI's; its vocabulary comes with the package, not from the network."""

    def __init__(self, encoding: str, max_tokens: int) -> None:
        """`encoding` is a name that tiktoken knows."""
        self._name = encoding
        self.max_tokens = max_tokens
        self.fingerprint = f"{encoding}/{max_tokens}"

    @cached_property
    def _encoding(self) -> "Encoding":
        import tiktoken

        return tiktoken.get_encoding(self._name)

    def count(self, texts: Sequence[str], /) -> list[int]:
        """The API adds no special tokens."""
        return [len(tokens) for tokens in self._encoding.encode_ordinary_batch(list(texts))]


class WordTokenizer:
    """Words and punctuation marks."""

    fingerprint = "words-1"

    def __init__(self, max_tokens: int) -> None:
        """There is no natural limit; this one only keeps texts reasonable."""
        self.max_tokens = max_tokens

    def count(self, texts: Sequence[str], /) -> list[int]:
        """Nothing is added to a text."""
        return [len(WORD.findall(text)) for text in texts]
