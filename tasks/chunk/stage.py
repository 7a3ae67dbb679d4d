"""Cuts a window into chunks, as a Prefect task."""

from tasks.chunk.window import chunk_window
from tasks.tracking import tracked

chunk = tracked(chunk_window, "chunk")
