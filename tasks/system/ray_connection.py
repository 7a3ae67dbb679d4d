"""The way to a Ray cluster, which has to be guarded."""

import ipaddress
import logging
import os
import socket
from typing import Any

from tasks.errors import ConfigError, MissingExtraError

CONNECT_SECONDS = 10.0
TOKEN_MODE = "RAY_AUTH_MODE"  # noqa: S105 - a variable's name


def connect(address: str) -> Any:
    """The library, connected to the cluster; ConfigError where none answers, or anybody could run code there."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("runner: ray", "ray") from error
    dashboard = False if address == "local" else None  # a cluster that runs is not asked for one
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")  # else Ray tries for ten minutes, in silence
    try:
        _require_listener(address)
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=dashboard)
    except (ConnectionError, OSError, RuntimeError, TimeoutError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster can be reached at {address!r} ({type(error).__name__}): start one with `ray start --head`,"
            " or name its head under runner.address"
        ) from error
    try:
        require_guarded(ray.get_runtime_context().gcs_address)
    except ConfigError:
        ray.shutdown()
        raise
    return ray


def _require_listener(address: str) -> None:
    """Raise OSError at once where nobody listens: Ray itself takes its time."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def require_guarded(head: str) -> None:
    """Whoever reaches a head without tokens may run code on each of its nodes."""
    host = head.rpartition(":")[0].strip("[]")
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    if not is_local and os.environ.get(TOKEN_MODE) != "token":
        raise ConfigError(
            f"the Ray head at {head} is open to its network, and anybody there could run code on the cluster: start"
            f" head and nodes with {TOKEN_MODE}=token, and set it here as well"
        )
