"""Holds a collection against its ledger, as a tracked Prefect flow: for a schedule beside that of `sync`.

python -m flows.verify config/examples/quickstart.yaml
"""

import sys
from pathlib import Path
from typing import Any

from config.options import VerifyOptions
from config.read import read_pipeline
from flows.tracked import tracked_flow
from tasks.console.artifacts import ArtifactProgress
from tasks.console.text import verification_text
from tasks.errors import CollectionError
from tasks.runners.prefect import PrefectRunner
from tasks.session import open_session
from tasks.sync.verify import verify as verify_session


@tracked_flow("verify")
def verify(config: str, options: VerifyOptions = VerifyOptions()) -> dict[str, Any]:  # noqa: B008 - frozen
    """Read the collection back and compare it with the ledger.

    Args:
        config: The pipeline's YAML file, as the worker finds it.
        options: How much to compare, and whether to mend.

    Returns:
        The findings of `headrace verify --json`. A run that leaves anything wrong fails.

    """
    pipeline = read_pipeline(Path(config))
    with (
        open_session(pipeline, read_only=not options.repair) as session,
        ArtifactProgress(session) as progress,
    ):
        done = verify_session(session, options, PrefectRunner(), progress)
        told = "nothing wrong" if done.ok else "not what the ledger says"
        progress.publish(verification_text(done), "verification", told)
    if not done.ok:
        raise CollectionError(f"the collection is not what the ledger says; {verification_text(done)}")
    return done.as_json()


if __name__ == "__main__":
    verify(sys.argv[1])
