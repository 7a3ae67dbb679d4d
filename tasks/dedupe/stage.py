"""Finds what is new in a window, as a Prefect task."""

from tasks.dedupe.window import Planner
from tasks.tracking import tracked

dedupe = tracked(Planner.plan_window, "dedupe")
