"""Which Prefect API is configured, found without importing Prefect: that alone costs a second."""

import os
import tomllib
from pathlib import Path
from typing import Any

HEALTH_SECONDS = 2.0


def configured_url() -> str | None:
    """PREFECT_API_URL from the environment, from prefect.toml here, or from the active profile."""
    return os.environ.get("PREFECT_API_URL") or _project_url() or _profile_url()


def is_healthy(url: str) -> bool:
    """Whether a server answers at `url` within 2 s."""
    if not url.startswith(("http://", "https://")):
        return False
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=HEALTH_SECONDS) as answer:  # noqa: S310 - checked above
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _project_url() -> str | None:
    url = _toml(Path("prefect.toml")).get("api", {}).get("url")
    return url if isinstance(url, str) else None


def _profile_url() -> str | None:
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    profiles = _toml(home / "profiles.toml")
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active", "")
    url = profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL")
    return url if isinstance(url, str) else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}
