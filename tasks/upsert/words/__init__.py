"""An index of words of our own, for stores that have none."""
