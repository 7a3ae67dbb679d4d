"""How often Python looks for cycles of objects that nobody uses any more."""

import gc


def look_rarely() -> None:
    """Look less often: a run makes many objects and next to no cycles, and looking as usual takes a third of it."""
    gc.set_threshold(100_000, 20, 20)
