"""Which Prefect API is configured, found without importing Prefect: that alone costs a second."""

import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple


class PrefectApi(NamedTuple):
    """`origin` says where `url` is set, for whoever has to change it."""

    url: str
    origin: str


def configured_api() -> PrefectApi | None:
    """PREFECT_API_URL from the environment, from prefect.toml here, or from the active profile."""
    if url := os.environ.get("PREFECT_API_URL"):
        return PrefectApi(url, "PREFECT_API_URL in the environment")
    return _project_api() or _profile_api()


def _project_api() -> PrefectApi | None:
    url = _toml(Path("prefect.toml")).get("api", {}).get("url")
    return PrefectApi(url, "api.url in prefect.toml") if isinstance(url, str) else None


def _profile_api() -> PrefectApi | None:
    path = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser() / "profiles.toml"
    profiles = _toml(path)
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active", "")
    url = profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL")
    return PrefectApi(url, f"PREFECT_API_URL of the profile {active!r} in {path}") if isinstance(url, str) else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}
