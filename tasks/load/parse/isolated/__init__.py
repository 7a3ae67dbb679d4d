"""Parsers of risky formats, in a process that can do no harm."""
