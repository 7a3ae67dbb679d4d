"""The one place that knows the kinds of runners."""

from typing import assert_never

from config import runner
from tasks.system.here import Here
from tasks.system.worker import Workplace


def open_workplace(config: runner.Runner) -> Workplace:
    """Where a run's workers will be; nothing is contacted before the first of them is wanted."""
    match config:
        case runner.LocalRunner():
            return Here(config.shards_at_once)
        case runner.RayRunner():
            from tasks.system.ray_cluster import RayCluster

            return RayCluster(config)
    assert_never(config)
