"""A real Ray cluster on loopback: a head without CPUs, and nodes with one each or some, which can be killed.

`python -m tests.ray_cluster` is the process that owns it: Ray sets signal handlers and prints as it likes, and must not
do so in a test's own process.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TRIES = 10
MARK = "@ "  # begins the lines that are answers
LIGHT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "false",
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "300",  # a busy machine takes its time
    # A dead node is noticed within seconds.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_health_check_initial_delay_ms": "1000",
}


class RayNodes:
    """Started and stopped by its own process."""

    def __init__(self, nodes: int, cache: Path, cpus: int = 1) -> None:
        """`cache` is where the nodes keep what they make of models."""
        self._numbers = str(nodes), str(cpus)
        self._folder = tempfile.TemporaryDirectory(prefix="ray-")  # short: sockets lie in it
        self._env = {**os.environ, **LIGHT, "RAY_TMPDIR": self._folder.name, "XDG_CACHE_HOME": str(cache)}

    def __enter__(self) -> Self:
        self._log = Path(self._folder.name, "log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.ray_cluster", *self._numbers],
            env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self.address = self._answer()
        return self

    def add_node(self) -> None:
        """One more, like the others."""
        self._ask("add")

    def kill_node(self) -> None:
        """The oldest, as a power cut would."""
        self._ask("kill")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def _ask(self, command: str) -> str:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(MARK):
                return line.removeprefix(MARK).strip()
        raise AssertionError(Path(self._folder.name, "log").read_text()[-4000:])


def added(cluster: Any, common: dict[str, Any]) -> Any:
    """A node; Ray gives it 30 seconds to start, and a machine that is busy needs more."""
    for _ in range(TRIES):
        try:
            return cluster.add_node(num_cpus=int(sys.argv[2]), **common)
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
    raise TimeoutError(f"no node of Ray came up in {TRIES} tries")


def main() -> None:
    """Serve the commands until there are no more."""
    from ray.cluster_utils import Cluster  # type: ignore[attr-defined]

    common: dict[str, Any] = {
        "object_store_memory": 100 * 2**20,
        "node_ip_address": "127.0.0.1",
        "include_log_monitor": False,
    }
    cluster: Any = Cluster(
        initialize_head=True,
        head_node_args={"include_dashboard": False, "no_monitor": True, "num_cpus": 0, **common},
    )
    try:
        nodes = [added(cluster, common) for _ in range(int(sys.argv[1]))]
        print(f"{MARK}{cluster.address}", flush=True)
        for command in sys.stdin:
            if command.strip() == "add":
                nodes.append(added(cluster, common))
            else:
                cluster.remove_node(nodes.pop(0), allow_graceful=False)
            print(f"{MARK}done", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
