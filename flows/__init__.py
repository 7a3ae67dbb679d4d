"""Entry points: what happens, in order."""
