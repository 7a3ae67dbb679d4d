"""One page of a long answer, cut so that pages fit together."""

from collections.abc import Callable

from tasks.errors import NoTextIndexError
from tasks.records import Hit, Query

MOST_TIED = 10_000  # records; of more that are equally near, a store's own choice has to do


def refuse_words(query: Query, store: str) -> None:
    """Raise NoTextIndexError for a query by words, in a store that has no index of them."""
    if query.words:
        raise NoTextIndexError(f"{store} keeps no index of words here; search by vectors: `--mode dense`")


def page(query: Query, nearest: Callable[[int], list[Hit]]) -> list[Hit]:
    """Those of the hits that the query wants, where `nearest` gives as many as it is asked for, best first.

    Chunks of the same text are equally near, and a store shows them in whatever order: another one for another limit.
    So the last of them are asked for together, and sorted by id.
    """
    end = query.offset + query.limit
    wanted = end + 1
    hits = nearest(wanted)
    while len(hits) == wanted and hits[-1].score == hits[end - 1].score and wanted < end + MOST_TIED:
        wanted *= 4
        hits = nearest(wanted)
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[query.offset : end]
