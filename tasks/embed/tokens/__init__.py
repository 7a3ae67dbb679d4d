"""Tokens, counted as a model counts them."""
