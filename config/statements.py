"""What one SELECT is: a query that a source may be given."""

import re

# What stands in quotes or in a comment, as far as the databases agree.
_QUIET = re.compile(r"'(?:[^']|'')*+'" + r'|"(?:[^"]|"")*+"|`[^`]*+`|\$(\w*)\$.*?\$\1\$|--[^\n]*+|/\*.*?\*/', re.DOTALL)
_READS = re.compile(r"[\s(]*+(?:select|with|values|table)\b", re.IGNORECASE)
_WRITES = re.compile(
    r"\binto\b|\bdelete\s++from\b|\bupdate\s++\S++\s++set\b|\bfor\s++(?:no\s++key\s++)?(?:update|share)\b",
    re.IGNORECASE,
)


def one_select(query: str) -> str:
    """The query without a semicolon at its end; ValueError for anything but one statement that reads.

    The database has the last word, for it runs in a transaction that cannot write; this says it earlier and plainly.
    """
    bare = _QUIET.sub(_blank, query).rstrip("; \t\r\n")
    if not bare.strip():
        raise ValueError("the query is empty; expected one SELECT")
    if ";" in bare:
        raise ValueError("the query has more than one statement; expected one SELECT")
    if not _READS.match(bare):
        raise ValueError(f"the query begins with {bare.split()[0][:20].upper()!r}; expected one SELECT")
    if writes := _WRITES.search(bare):
        said = " ".join(writes[0].upper().split())
        raise ValueError(f"the query says {said!r}; expected one SELECT that only reads")
    return query[: len(bare)]


def _blank(match: re.Match[str]) -> str:
    """As long as it was, so that what is left stands where it stood."""
    return (" " if match[0][:2] in ("--", "/*") else "'") * len(match[0])
