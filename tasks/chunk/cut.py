"""Where a section that does not fit is cut: content decides, not the distance from the section's start.

A run of atoms that is too large is cut before the atom with the best rank, among equals the one with the highest hash
of the text round the cut, and so on in both parts until all fit. Text inserted or removed elsewhere neither changes a
hash here nor moves a cut, so an edit changes the chunks around it and no others.
"""

import zlib
from collections.abc import Sequence

from tasks.chunk.atoms import Atom

CONTEXT_CHARACTERS = 32
MARGIN = 0.4  # of the limit: cuts that would leave less than this at an end come second


def cut_run(text: str, atoms: Sequence[Atom], sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Ranges [first, last) of atoms, in order, whose sizes sum to at most `limit`; a larger atom stands alone."""
    weights = [(atom.rank, _hash(text, atom.start)) for atom in atoms]
    sums = [0]
    for size in sizes:
        sums.append(sums[-1] + size)
    found: list[tuple[int, int]] = []
    waiting = [(0, len(atoms))]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2 or sums[last] - sums[first] <= limit:
            found.append((first, last))
        else:
            cut = _best_cut(first, last, weights, sums, limit)
            waiting += [(cut, last), (first, cut)]
    return found


def _best_cut(first: int, last: int, weights: Sequence[tuple[int, int]], sums: Sequence[int], limit: int) -> int:
    margin = MARGIN * limit
    inner = [
        cut for cut in range(first + 1, last) if sums[cut] - sums[first] >= margin and sums[last] - sums[cut] >= margin
    ]
    return max(inner or range(first + 1, last), key=weights.__getitem__)


def _hash(text: str, cut: int) -> int:
    """Of the text on both sides, so that a line that stands many times does not tie."""
    near = text[max(0, cut - CONTEXT_CHARACTERS) : cut + CONTEXT_CHARACTERS]
    return zlib.crc32(near.encode("utf-8", "surrogatepass"))
