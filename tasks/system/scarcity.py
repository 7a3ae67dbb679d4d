"""What the system says when memory or threads run out, in its many spellings, and what to do: nothing is damaged."""

import re

_MEMORY = re.compile(
    r"out ?of ?memory|cannot allocate|not enough memory|insufficient memory|bad_alloc|memory ?(?:allocation|error)"
    r"|enomem|failed to allocate|(?:os error|errno) 12\b|without (?:setting an )?exception(?: set)?\b",
    re.IGNORECASE,
)  # the last is Python's own of an extension that got no memory, and did not say so
_THREADS = re.compile(
    r"resource temporarily unavailable|can't start new thread|failed to (?:spawn|build)[^:]{0,60}thread"
    r"|(?:os error|errno) 11\b",
    re.IGNORECASE,
)


def scarcity(text: str) -> str | None:
    """The remedy where a message says that something ran out, else None; ask after the words that mean a lock."""
    if _MEMORY.search(text):
        return "there is too little memory, see `ulimit -v`; what is stored is sound: allow more, and run again"
    if _THREADS.search(text):
        return "a limit on threads or memory is reached, see `ulimit -uv`; what is stored is sound: raise it, run again"
    return None
