"""A bulk load without the graph: building it again and again takes longer than building it once at the end.

The server builds one where a segment has more vectors than a threshold, which is raised meanwhile, as Qdrant advises.
The raised one has the old one inside, so that whoever opens the collection next can put it back, also after a kill.
"""

from qdrant_client import QdrantClient, models

FROM = 5_000  # points of one run; fewer are indexed while the run goes on
_RAISED = 10**9  # kilobytes, beyond any collection
_DEFAULT = 10_000  # kilobytes, the server's own


def is_deferred(info: models.CollectionInfo) -> bool:
    """Whether a run deferred the graph, and has not ended in order."""
    return _threshold(info) >= _RAISED


def defer(client: QdrantClient, collection: str, info: models.CollectionInfo) -> None:
    """Not where the user has switched the graph off."""
    if 0 < _threshold(info) < _RAISED:
        _set(client, collection, _RAISED + _threshold(info))


def restore(client: QdrantClient, collection: str, info: models.CollectionInfo) -> None:
    """The old threshold: the server begins to build at once, and is searched meanwhile."""
    if is_deferred(info):
        _set(client, collection, _threshold(info) - _RAISED)


def _threshold(info: models.CollectionInfo) -> int:
    threshold = info.config.optimizer_config.indexing_threshold
    return _DEFAULT if threshold is None else threshold


def _set(client: QdrantClient, collection: str, threshold: int) -> None:
    settings = models.OptimizersConfigDiff(indexing_threshold=threshold)
    client.update_collection(collection, optimizers_config=settings)
