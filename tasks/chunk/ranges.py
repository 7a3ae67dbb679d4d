"""Where a run of atoms is cut, if it is too large for one chunk."""

import math
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from tasks.chunk.atoms import Atom

CONTEXT_CHARACTERS = 32  # of the text round a cut, which decide between equals
MARGIN = 0.4  # of the limit: cuts that would leave less than this at an end come second


def cut_run(
    text: str, atoms: Sequence[Atom], sizes: Sequence[int], limit: int, told: Sequence[int] | None = None
) -> list[tuple[int, int]]:
    """Ranges [first, last) of atoms, in order, whose sizes sum to at most `limit`; a larger atom stands alone.

    `told[i]` comes on top where a range begins with the atom i.

    Content decides where it is cut, not the distance from the start. A run that is too large is cut before the atom
    with the best rank, among equals the one with the highest hash of the text round the cut, and so on in both
    parts until all fit. Text inserted or removed elsewhere neither changes a hash here nor moves a cut, so an edit
    changes the chunks around it and no others.

    In text that repeats itself many have the same hash: then the middle one, for each cut looks at all that is left,
    and halves are soon small.
    """
    sums = list(accumulate(sizes, initial=0))
    if sums[-1] + (told[0] if told else 0) <= limit:
        return [(0, len(atoms))]
    ranks = [rank for _, _, rank, _ in atoms]
    hashes: dict[int, int] = {}
    margin = math.ceil(MARGIN * limit)
    ranges: list[tuple[int, int]] = []
    waiting = [(0, len(atoms))]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2 or sums[last] - sums[first] + (told[first] if told else 0) <= limit:
            ranges.append((first, last))
        else:
            lowest = bisect_left(sums, sums[first] + margin, first + 1, last)
            highest = bisect_right(sums, sums[last] - margin, first + 1, last)
            cuts = range(lowest, highest) or range(first + 1, last)
            best = max(ranks[cuts.start : cuts.stop])
            equals = [cut for cut in cuts if ranks[cut] == best]
            if len(equals) > 1:
                hashes.update((cut, _hash(text, atoms[cut][0])) for cut in equals if cut not in hashes)
                highest_hash = max(map(hashes.__getitem__, equals))
                equals = [cut for cut in equals if hashes[cut] == highest_hash]
            cut = equals[len(equals) // 2]
            waiting += [(cut, last), (first, cut)]
    return ranges


def _hash(text: str, cut: int) -> int:
    """A hash of the text on both sides, so that a line that stands many times does not tie."""
    near = text[max(0, cut - CONTEXT_CHARACTERS) : cut + CONTEXT_CHARACTERS]
    return zlib.crc32(near.encode() if near.isascii() else near.encode("utf-8", "surrogatepass"))
