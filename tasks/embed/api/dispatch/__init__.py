"""Requests to a paid provider: how many, how fast, for how much, and what to do about a refusal."""
