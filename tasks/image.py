"""A picture on its way to a model."""

import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Image:
    """`columns` by `rows` upright RGB pixels, as many as models look at; `width` and `height` are the whole picture's.

    `packed` are the pixels row by row, three bytes each, compressed by zlib.
    """

    width: int
    height: int
    columns: int
    rows: int
    packed: bytes

    @property
    def pixels(self) -> bytes:
        """Unpacked; ValueError where they are not as many as was said."""
        size = 3 * self.columns * self.rows
        try:
            pixels = zlib.decompressobj().decompress(self.packed, size + 1)
        except zlib.error as error:
            raise ValueError(f"the pixels cannot be unpacked: {error}") from error
        if len(pixels) != size:
            raise ValueError(f"expected {size:,} bytes of pixels")
        return pixels

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits; equal where a model sees the same."""
        digest = hashlib.blake2b(f"{self.columns}x{self.rows}\n".encode(), digest_size=16)
        digest.update(self.pixels)
        return digest.hexdigest()
