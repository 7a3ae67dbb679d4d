"""The keys of a document's payloads, from text that is put together once a document.

A payload of a chunk differs from that of the next one in three places, its text aside. Encoding it as a whole took
most of the time of planning; the result is the same to the byte, and `payload_key` says what it has to be.
"""

from collections.abc import Mapping
from json.encoder import encode_basestring  # the one that keeps what is not ASCII

from tasks.dedupe.canonical import encode_json, hashed


class PayloadKeys:
    """Makes the keys of one document."""

    def __init__(self, pipeline: str, document: str, space: str, shared: Mapping[str, str]) -> None:
        """`shared` is the metadata that all chunks have."""
        names = {"document": document, "pipeline": pipeline, "space": space}
        owner, rest = encode_json({"document": document})[1:-1], encode_json({**names, "document": ""})
        self._opening = f'[{{"headrace":{{{owner},"embedding":"'
        self._middle = '",' + rest.removeprefix('{"document":"",') + ',"metadata":{'
        self._plain = _around(shared, "position")
        self._headed = _around(shared, "heading", "position")

    def key(self, position: int, heading: str | None, embedding: str) -> str:
        """32 hexadecimal digits; `embedding` is the embedding key in such digits, and stands for the text."""
        if heading is None:
            before, after = self._plain
            metadata = f"{before}{position}{after}"
        else:
            before, between, after = self._headed
            metadata = f"{before}{_quoted(heading)}{between}{position}{after}"
        return hashed(f"{self._opening}{embedding}{self._middle}{metadata}}}}}]")


def _around(shared: Mapping[str, str], *slots: str) -> tuple[str, ...]:
    """The text of the object before, between and after the values of `slots`."""
    pieces = [""]
    for name in sorted({*shared, *slots}):
        pieces[-1] += f"{',' if len(pieces) > 1 or pieces[-1] else ''}{_quoted(name)}:"
        if name in slots:
            pieces.append("")
        else:
            pieces[-1] += encode_json(shared[name])
    return tuple(pieces)


def _quoted(text: str) -> str:
    quoted: str = encode_basestring(text)
    return quoted
