"""Builds a new generation beside the live one and switches to it, as a tracked Prefect flow.

python -m flows.rebuild config/examples/quickstart.yaml
"""

import sys
from typing import Any

from prefect.client.schemas.objects import State

from config.options import SyncOptions
from flows.sync import followed
from flows.tracked import tracked_flow


@tracked_flow("rebuild", about="sync")
def rebuild(config: str, options: SyncOptions = SyncOptions()) -> dict[str, Any] | State[Any]:  # noqa: B008 - frozen
    """Build what the configuration says, and make it the live generation where nothing speaks against it.

    Args:
        config: The pipeline's YAML file, as the worker finds it.
        options: What this one run may do beside its configuration.

    Returns:
        The report of `headrace rebuild --json`; its states are those of `sync`.

    """
    return followed(config, options.model_copy(update={"rebuild": True}))


if __name__ == "__main__":
    rebuild(sys.argv[1])
