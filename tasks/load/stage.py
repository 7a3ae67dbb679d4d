"""Reads a window of documents, as a Prefect task."""

from tasks.load.window import load_window
from tasks.tracking import tracked

load = tracked(load_window, "load")
