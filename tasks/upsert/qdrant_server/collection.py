"""How a collection is made, and what shows that it is ours."""

import logging
from collections.abc import Mapping

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from config.fields import FieldType, Language, Precision
from tasks.errors import CollectionError
from tasks.records import PointId
from tasks.upsert.qdrant_server.batches import MOST_POINTS
from tasks.upsert.qdrant_server.server import numbers_of

TEXT = "text"  # the field of the payload
PAGE = 500  # records a page of a scan
MOST_HITS = 1_000_000_000  # as good as no limit
_BAD_REQUEST = 400
RANKS_WORDS = (1, 20)  # the version from which on a server can
INDEXED_FIELDS = ("source", "document")  # what searches filter by
# A record without a vector: no search finds it, whoever asks. No chunk's id is like it: those are hashes.
SENTINEL = PointId("00000000-0000-0000-0000-686561647261")
NOT_THE_SENTINEL = models.Filter(must_not=[models.HasIdCondition(has_id=[SENTINEL])])
_QUANTIZED: Mapping[str, models.ScalarQuantization | models.BinaryQuantization] = {
    "int8": models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
    ),
    "binary": models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True)),
}
_OVERSAMPLING: Mapping[str, float] = {"int8": 2.0, "binary": 4.0}  # candidates for each that is asked for
_TYPES = {"number": models.PayloadSchemaType.FLOAT}  # others are called there as they are here

_log = logging.getLogger("headrace")


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


def held_precision(info: models.CollectionInfo) -> str:
    """Name in the settings; quantisation of a kind that they do not know is left to whoever has chosen it."""
    vectors = info.config.params.vectors
    own = vectors if isinstance(vectors, models.VectorParams) else models.VectorParams
    match own.quantization_config or info.config.quantization_config:
        case models.ScalarQuantization():
            return "int8"
        case models.BinaryQuantization():
            return "binary"
        case _:
            return own.datatype.value if own.datatype else "float32"


def create(client: QdrantClient, collection: str, dimension: int, precision: Precision) -> None:
    """An empty collection, without its indexes; where numbers are quantised, the whole ones are on disk."""
    is_quantized = precision in _QUANTIZED
    vectors = models.VectorParams(
        size=dimension,
        distance=models.Distance.COSINE,
        datatype=models.Datatype.FLOAT16 if precision == "float16" else None,
        on_disk=True if is_quantized else None,
    )
    client.create_collection(collection, vectors_config=vectors, quantization_config=_QUANTIZED.get(precision))


def most_at_once(info: models.CollectionInfo) -> tuple[int, int]:
    """Records of one write and of one answer, as far as the collection's strict mode lets them through."""
    strict = info.config.strict_mode_config
    if strict is None or not strict.enabled:
        return MOST_POINTS, MOST_HITS
    writes = (MOST_POINTS, strict.upsert_max_batchsize, strict.write_rate_limit)
    return min(limit for limit in writes if limit), strict.max_query_limit or MOST_HITS


def search_params(precision: Precision) -> models.SearchParams | None:
    """More candidates than are asked for are found by what is in memory, and compared as they are on disk."""
    if precision not in _OVERSAMPLING:
        return None
    rescored = models.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING[precision])
    return models.SearchParams(quantization=rescored)


def has_text_index(info: models.CollectionInfo | None) -> bool:
    """Whether words can be looked for; in a collection that is not there nothing is found, and nothing lacks."""
    index = info.payload_schema.get(TEXT) if info is not None else None
    return info is None or (index is not None and bool(getattr(index.params, "scoring", None)))


def complete_text(client: QdrantClient, collection: str, info: models.CollectionInfo, language: Language) -> None:
    """The index by which words are found, as the embedded engine has it; a server that cannot rank words gets none.

    One without scores is of the time before the server could.
    """
    if has_text_index(info):
        return
    version, is_there = numbers_of(client.info().version), TEXT in info.payload_schema
    if (version is None and is_there) or (version and version < RANKS_WORDS):
        return
    if is_there:
        client.delete_payload_index(collection, TEXT, wait=True)
    is_known = language != "none"
    index = models.TextIndexParams(
        type=models.TextIndexType.TEXT,
        tokenizer=_tokenizer(language),
        lowercase=True,
        stopwords=models.Language(language) if is_known else None,
        stemmer=models.SnowballParams(type=models.Snowball.SNOWBALL, language=models.SnowballLanguage(language))
        if is_known
        else None,
        scoring=models.TextScoringParams(type=models.TextScoringType.BM25),
    )
    try:
        client.create_payload_index(collection, TEXT, index, wait=True)
    except UnexpectedResponse as error:
        if error.status_code != _BAD_REQUEST:
            raise
        _log.warning("the server indexes no words of %s, so they are kept beside the ledger: %s", collection, error)


def renew_text(client: QdrantClient, collection: str, language: Language) -> None:
    """The index of words anew, where the server has one of another kind."""
    info = client.get_collection(collection)
    if has_text_index(info) and _tokenizer(language) != getattr(info.payload_schema[TEXT].params, "tokenizer", None):
        client.delete_payload_index(collection, TEXT, wait=True)
        complete_text(client, collection, client.get_collection(collection), language)


def _tokenizer(language: Language) -> models.TokenizerType:
    return models.TokenizerType.MULTILINGUAL if language == "none" else models.TokenizerType.CODE


def complete(
    client: QdrantClient, collection: str, info: models.CollectionInfo, fields: Mapping[str, FieldType], tenant: str
) -> None:
    """Indexes that are missing: a process may have ended before it made them, or a field is new in the settings."""
    ours: dict[str, FieldType] = dict.fromkeys([*INDEXED_FIELDS, *([tenant] if tenant else [])], "keyword")
    held = {name.replace('"', ""): index for name, index in info.payload_schema.items()}
    for field, kind in {**fields, **ours}.items():
        path = f"metadata.{field}" if field.isascii() else f'metadata."{field}"'
        wanted = _TYPES.get(kind) or models.PayloadSchemaType(kind)
        index = held.get(f"metadata.{field}")
        if index is None:
            is_tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
            client.create_payload_index(collection, path, is_tenant if field == tenant else wanted, wait=True)
        elif index.data_type != wanted or (field == tenant and not getattr(index.params, "is_tenant", False)):
            _log.warning(
                "the collection %s has an index of %s that is %s, and the settings ask for %s; it is left alone, as"
                " others may use it: remove it from the server, and the next sync makes it anew",
                collection,
                path,
                index.data_type.value,
                "one of tenants" if field == tenant else wanted.value,
            )
