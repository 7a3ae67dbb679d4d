"""Paid embedders: limits and money shared by all processes, retries, and the search for a text that is refused."""
