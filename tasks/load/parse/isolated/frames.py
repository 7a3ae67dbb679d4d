"""Messages on a pipe: eight bytes of length, then so many bytes."""

import struct
from typing import IO

_LENGTH = struct.Struct(">Q")


def write_frame(stream: IO[bytes], content: bytes) -> None:
    """Write the message in one piece, and flush it."""
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def read_frame(stream: IO[bytes], limit: int | None = None) -> bytes:
    """Raise EOFError where the other side ended, or announces more than `limit` bytes."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if limit is not None and length > limit:
        raise EOFError(f"a message of {length:,} bytes is announced, the limit is {limit:,}")
    return _exactly(stream, length)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError("the other side of the pipe ended")
    return content
