"""The process that parses what may hang or explode: `python -m tasks.load.parse.isolated.worker`.

A request is two frames, the parser with the document's name as JSON and the content; the answer is one frame of JSON.
The end of the input ends the process.
"""

import importlib
import json
import os
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import IO

from tasks.errors import DocumentError
from tasks.load.parse.isolated.confine import MEMORY_BYTES, allow_cpu, confine
from tasks.load.parse.isolated.frames import read_frame, write_frame
from tasks.load.parse.text import Parsed

Parser = Callable[..., Parsed]  # name of the document, content, and what else a parser takes

READY = b"ready"
DEEPEST_CALLS = 5_000


def serve(requests: IO[bytes], answers: IO[bytes], cpu_seconds: int) -> None:
    """Answer until the requests end; a request for more memory than there is, is the last one."""
    write_frame(answers, READY)
    while True:
        try:
            request = json.loads(read_frame(requests))
            content = read_frame(requests)
        except EOFError:
            return
        allow_cpu(cpu_seconds)
        name = str(request["name"])
        try:
            answer = _answer(_parser(str(request["parser"])), name, content, request["arguments"])
        except MemoryError:
            message = f"{name} needs more memory than its parser may take; split it, or exclude it"
            write_frame(answers, json.dumps({"reason": "parser-failed", "message": message}).encode())
            return  # what is left may be too little for an innocent document
        del content
        write_frame(answers, json.dumps(answer).encode())


def _answer(parser: Parser, name: str, content: bytes, arguments: Sequence[str]) -> dict[str, object]:
    try:
        parsed = parser(name, content, *arguments)
    except DocumentError as error:
        return {"reason": error.reason, "message": str(error)}
    except MemoryError:
        raise
    except RecursionError:
        return {"reason": "too-deep", "message": f"{name} is nested too deeply to be read; exclude it"}
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"[:300]
        return {"reason": "parser-failed", "message": f"{name} makes its parser fail ({cause}); repair or exclude it"}
    image = parsed.image and {**asdict(parsed.image), "packed": b64encode(parsed.image.packed).decode()}
    return {**parsed._asdict(), "image": image, "properties": dict(parsed.properties)}


def _parser(path: str) -> Parser:
    """`module:function`; imported when the first document needs it."""
    module, _, function = path.partition(":")
    parser: Parser = getattr(importlib.import_module(module), function)
    return parser


def main() -> None:
    """Take the pipes away from whatever a library prints, then serve."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(silence, stream)
    cpu_seconds, memory_bytes = (int(word) for word in sys.argv[1:] or ("60", str(MEMORY_BYTES)))
    confine(memory_bytes)
    sys.setrecursionlimit(DEEPEST_CALLS)
    serve(requests, answers, cpu_seconds)


if __name__ == "__main__":
    main()
