"""CocoIndex 1.x: a component for each file, a memo for each chunk, rows of a LanceDB table.

python sync_cocoindex.py sync FOLDER STATE --embedder hashing|minilm
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

os.environ["COCOINDEX_DISABLE_USAGE_TRACKING"] = "1"  # before the import, which reports it otherwise

import cocoindex as coco
import numpy as np
from cocoindex.connectors import lancedb, localfs
from cocoindex.ops.text import RecursiveSplitter
from cocoindex.resources.file import FileLike, PatternFilePathMatcher
from cocoindex.resources.id import UuidGenerator
from cocoindex.resources.schema import VectorSchema
from command import DIMENSION, Hashing, Job, run
from numpy.typing import NDArray

CHARACTERS = 460  # about as many chunks of the corpus as Headrace makes
TABLE = "bench"
FOLDER: coco.ContextKey[Path] = coco.ContextKey("folder")
DATABASE: coco.ContextKey[Any] = coco.ContextKey("database")
EMBEDDERS: list[Hashing] = []  # a memo must not depend on the counter, so it is no argument
SPLITTER = RecursiveSplitter()


@dataclass
class Row:
    id: uuid.UUID
    path: str
    text: str
    vector: Annotated[NDArray[np.float32], VectorSchema(dtype=np.dtype(np.float32), size=DIMENSION)]


@coco.fn.as_async(batching=True, max_batch_size=100)
def embed_batch(texts: list[str]) -> list[np.ndarray]:
    return list(EMBEDDERS[0].embed(texts))


@coco.fn(memo=True)
async def embed(text: str) -> np.ndarray:
    return await embed_batch(text)


@coco.fn(memo=True)
async def process(file: FileLike, table: lancedb.TableTarget[Row]) -> None:
    path = file.file_path.path.as_posix()
    ids = UuidGenerator(path)
    chunks = SPLITTER.split(await file.read_text(), CHARACTERS, language="markdown")
    vectors = await asyncio.gather(*(embed(chunk.text) for chunk in chunks))
    for chunk, vector in zip(chunks, vectors, strict=True):
        table.declare_row(row=Row(ids.next_uuid(chunk.text), path, chunk.text, vector))


@coco.fn
async def main() -> None:
    schema = await lancedb.TableSchema.from_class(Row, primary_key=["id"])
    table = await lancedb.mount_table_target(DATABASE, TABLE, schema)
    files = localfs.walk_dir(FOLDER, recursive=True, path_matcher=PatternFilePathMatcher(included_patterns=["**/*.md"]))
    await coco.mount_each(process, files.items(), table)


def sync(job: Job) -> int:
    EMBEDDERS[:] = [job.embedder]

    @coco.lifespan
    async def provide(builder: coco.EnvironmentBuilder) -> AsyncIterator[None]:
        builder.settings.db_path = job.state / "cocoindex.db"
        builder.provide(FOLDER, job.folder)
        builder.provide(DATABASE, await lancedb.connect_async(str(job.state / "store")))
        yield

    coco.App("bench", main).update_blocking()
    return asyncio.run(_count(job.state / "store"))


async def _count(store: Path) -> int:
    database = await lancedb.connect_async(str(store))
    if TABLE not in (await database.list_tables()).tables:
        return 0
    return await (await database.open_table(TABLE)).count_rows()


if __name__ == "__main__":
    run(sync)
