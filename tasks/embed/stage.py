"""Pays for a window's texts, as a Prefect task."""

from tasks.embed.window import embed_window
from tasks.tracking import tracked

embed = tracked(embed_window, "embed")
