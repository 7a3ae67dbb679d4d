"""Writes a window to the store, as a Prefect task."""

from tasks.tracking import tracked
from tasks.upsert.window import write_window

upsert = tracked(write_window, "upsert")
