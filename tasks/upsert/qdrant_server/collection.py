"""How a collection is made, and what shows that it is ours."""

from collections.abc import Sequence

from qdrant_client import QdrantClient, models

from tasks.errors import CollectionError
from tasks.records import PointId

INDEXED_FIELDS = ("metadata.source", "metadata.document")  # what searches filter by
# A record without a vector: no search finds it, whoever asks. No chunk's id is like it: those are hashes.
SENTINEL = PointId("00000000-0000-0000-0000-686561647261")
NOT_THE_SENTINEL = models.Filter(must_not=[models.HasIdCondition(has_id=[SENTINEL])])


def mark_name(pipeline: str) -> str:
    """The field of the sentinel's payload that holds a pipeline's mark, or the collection's own."""
    return f"headrace:{pipeline}" if pipeline else "headrace"


def held_dimension(info: models.CollectionInfo, name: str) -> int:
    """The dimension of the collection's vectors; CollectionError where they are not as ours are."""
    vectors = info.config.params.vectors
    if not isinstance(vectors, models.VectorParams) or vectors.multivector_config is not None:
        raise CollectionError(
            f"{name} was made by others: it has not one vector without a name for each record; name another"
            " `collection` under `store`"
        )
    if vectors.distance != models.Distance.COSINE:
        raise CollectionError(
            f"{name} compares by {vectors.distance.value}, expected Cosine; name another `collection` under `store`"
        )
    return vectors.size


def create(client: QdrantClient, collection: str, dimension: int) -> None:
    """An empty collection, without its indexes."""
    client.create_collection(
        collection, vectors_config=models.VectorParams(size=dimension, distance=models.Distance.COSINE)
    )


def complete(client: QdrantClient, collection: str, info: models.CollectionInfo, fields: Sequence[str]) -> None:
    """Indexes that are missing: a process may have ended before it made them."""
    for field in fields:
        if field not in info.payload_schema:
            client.create_payload_index(collection, field, models.PayloadSchemaType.KEYWORD, wait=True)
