"""One shard of the engine: how it is made, what it holds, and points in its own form.

The bookkeeping in a payload is one JSON text there: nobody filters by it, and the engine's binding takes 5 us for each
text it is given and 10 for each dictionary, which was most of a write.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.errors import CollectionError, ServiceError
from tasks.records import Payload, Points
from tasks.upsert.vectors import unstorable

if TYPE_CHECKING:
    import qdrant_edge as engine

    from config.fields import Language, Precision

BOOKKEEPING = "headrace"
TEXT = "text"
MOST_DELETED = 0.2  # of a segment's records, before the engine compacts it
ENTRY_BYTES = 21
_encode = json.JSONEncoder(ensure_ascii=False).encode  # made once: `dumps` makes an encoder for every call


def text_index(language: "Language" = "english") -> "engine.UpdateOperation":
    """The index by which words are found; identifiers are split at underscores and capitals.

    Its tokens are word stems in that language, without its most frequent words; with `none` whole words in any script.
    """
    import qdrant_edge as engine

    kind, own = engine.TokenizerType, None if language == "none" else getattr(engine.Language, language.capitalize())
    stems = getattr(engine.SnowballLanguage, language.capitalize(), None)
    index = engine.TextIndexParams(
        tokenizer=kind.Code if own else kind.Multilingual,
        lowercase=True,
        stopwords=own,
        stemmer=engine.SnowballParams(stems) if stems else None,
        scoring=engine.TextScoringParams(engine.TextScoringType.Bm25),
    )
    return engine.UpdateOperation.create_field_index(TEXT, index)


def create_shard(
    folder: Path,
    dimension: int,
    indexed_fields: Sequence[str],
    precision: "Precision" = "float32",
    language: "Language" = "english",
) -> None:
    """An empty shard, closed: its files name no path, so the folder may be moved."""
    import qdrant_edge as engine

    datatype = engine.VectorStorageDatatype.Float16 if precision == "float16" else None
    config = engine.EdgeConfig(
        vectors=engine.EdgeVectorParams(size=dimension, distance=engine.Distance.Cosine, datatype=datatype),
        optimizers=engine.EdgeOptimizersConfig(indexing_threshold=0),  # 0: `optimize` compacts, but builds no graph
        wal_enabled=True,
    )
    shard = engine.EdgeShard.create(str(folder), config)
    for field in indexed_fields:
        shard.update(engine.UpdateOperation.create_field_index(field, engine.PayloadSchemaType.Keyword))
    shard.update(text_index(language))
    shard.flush()
    shard.close()


def stored_form(folder: Path) -> tuple[int, str]:
    """Dimension and precision by the shard's own settings, without the engine; CollectionError for another distance."""
    path = folder / "edge_config.json"
    try:
        vectors = json.loads(path.read_text(encoding="utf-8"))["vectors"][""]
        dimension, distance, precision = int(vectors["size"]), str(vectors["distance"]), vectors.get("datatype")
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(
            f"{path} is damaged ({type(error).__name__}: {error}); restore the folder from a backup, or move it away"
            " and run sync: it is written again from the cache"
        ) from error
    if distance != "Cosine":
        raise CollectionError(
            f"the collection in {folder} compares by {distance}, expected Cosine; name a new `collection` under `store`"
        )
    return dimension, str(precision or "float32")


def deleted_share(folder: Path, records: int) -> float:
    """An estimate for a flushed shard, by its lists of ids: each record that was added or deleted is an entry."""
    entries = sum(path.stat().st_size for path in folder.glob("segments/*/*id_tracker.mappings")) // ENTRY_BYTES
    return max(0, entries - records) / max(1, entries + records)


def as_engine_points(points: Points) -> "list[engine.Point]":
    """The same in the engine's form; DocumentError names the document whose payload is not plain JSON."""
    import qdrant_edge as engine

    made: list[engine.Point] = []
    rows = np.ascontiguousarray(points.vectors, dtype=np.float32)
    for point, row, payload in zip(points.ids, rows, points.payloads, strict=True):
        try:
            # The engine reads any buffer of floats, though its stubs say list: three times as fast as a list.
            made.append(engine.Point(point, cast("list[float]", row.data), _packed(payload)))
        except (TypeError, ValueError, OverflowError) as error:
            raise unstorable(payload, point, _first_line(error)) from error
    return made


def as_payload(held: Mapping[str, Any] | None) -> Payload:
    """The payload as it was before it became the engine's; older collections hold the bookkeeping as it is."""
    payload = dict(held or {})
    packed = payload.get(BOOKKEEPING)
    if isinstance(packed, str):
        with suppress(ValueError):  # a record that is not ours
            payload[BOOKKEEPING] = json.loads(packed)
    return payload


def _packed(payload: Payload) -> Payload:
    book = payload.get(BOOKKEEPING)
    return {**payload, BOOKKEEPING: _encode(book)} if isinstance(book, dict) else payload


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
