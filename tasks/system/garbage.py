"""How often Python looks for cycles of objects that nobody uses any more."""

import gc


def look_rarely() -> None:
    """A run makes many small objects and next to no cycles; to look for them as often as usual takes a third of it."""
    gc.set_threshold(100_000, 20, 20)
