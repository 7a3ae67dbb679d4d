"""Chunks to only what is new: the ledger, the embedding cache and the plan."""
