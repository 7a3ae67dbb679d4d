"""Sets of names, written as they are read."""


def names(text: str) -> frozenset[str]:
    """The words of the text."""
    return frozenset(text.split())
