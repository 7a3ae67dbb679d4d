"""The one place that knows the kinds of stores."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import assert_never

from config import stores
from config.fields import FieldType, Language, SearchLanguage
from config.pipeline import Pipeline
from tasks.database.address import Reach, sqlite_path
from tasks.errors import MissingExtraError
from tasks.upsert.base import VectorStore
from tasks.upsert.filters import PIPELINE
from tasks.upsert.shared import SharedStore


def open_store(config: stores.Store, pipeline: str, language: SearchLanguage = "english") -> VectorStore:
    """The collection is named after the pipeline, unless the configuration names it; nothing is created or read yet."""
    store = _opened(config, config.collection or pipeline, language)
    return SharedStore(store, pipeline) if config.shared else store


def reach(config: stores.Store) -> Reach:
    """How far apart processes may be that write to the collection at the same time."""
    match config:
        case stores.MemoryStore() | stores.QdrantStore(url=None):
            return Reach.PROCESS
        case stores.ChromaStore(url=None):
            return Reach.MACHINE
        case stores.LanceStore(path=path) if "://" not in path:
            return Reach.MACHINE
        case _:
            return Reach.NETWORK


def worded(
    store: VectorStore, pipeline: Pipeline, place: Callable[[str], str], schema: str, *, read_only: bool = False
) -> VectorStore:
    """The store, with an index of words beside the ledger where it may have none itself; closing it closes both.

    `place` says which URL stands for one, `schema` is for a ledger on PostgreSQL.
    """
    if not _may_lack_words(pipeline.store):
        return store
    from tasks.upsert.words.index import WordIndex
    from tasks.upsert.words.store import WordedStore

    path, mark, rest = pipeline.state.partition("?")
    url = pipeline.state if sqlite_path(pipeline.state) is None else f"{path}.words{mark}{rest}"
    return WordedStore(store, WordIndex(place(url), _spaced(pipeline.search.language), schema, read_only=read_only))


def _spaced(language: SearchLanguage) -> Language:
    """What those that put spaces between words themselves make of a language that is left open."""
    return "english" if language == "auto" else language


def _may_lack_words(config: stores.Store) -> bool:
    return config.kind in ("chroma", "pinecone") or (isinstance(config, stores.QdrantStore) and config.url is not None)


def _opened(config: stores.Store, collection: str, language: SearchLanguage) -> VectorStore:
    match config:
        case stores.QdrantStore(url=str() as url):
            from tasks.upsert.qdrant_server.store import QdrantServerStore

            key = config.api_key.get_secret_value() if config.api_key else ""
            store = QdrantServerStore(url, collection, key, precision=config.precision)
            shared: dict[str, FieldType] = {PIPELINE: "keyword"} if config.shared else {}
            return store.indexing({**config.filter_fields, **shared}, config.tenant_field or "", language)
        case stores.QdrantStore():
            from tasks.upsert.qdrant_embedded.store import QdrantStore

            embedded = QdrantStore(config.path, collection, is_shared=config.shared, precision=config.precision)
            return embedded.indexing(language)
        case stores.PgvectorStore():
            with _extra("pgvector"):
                from tasks.upsert.pgvector.store import PgvectorStore
            form = config.schema_name, config.filter_fields, config.precision
            return PgvectorStore(config.url, collection, *form).indexing(_spaced(language), config.tenant_field or "")
        case stores.ChromaStore():
            from tasks.upsert.chroma.server import OwnServer, RemoteServer
            from tasks.upsert.chroma.store import ChromaStore

            if config.url is None:
                return ChromaStore(OwnServer(config.path), collection)
            token = config.token.get_secret_value() if config.token else ""
            return ChromaStore(RemoteServer(config.url, token, config.tenant, config.database), collection)
        case stores.PineconeStore():
            from tasks.upsert.pinecone.store import PineconeStore

            return PineconeStore(config, collection)
        case stores.LanceStore():
            with _extra("lancedb"):
                from tasks.upsert.lancedb.store import LanceStore
            return LanceStore(config.path, collection, config.precision).indexing(language)
        case stores.MemoryStore():
            from tasks.upsert.memory import MemoryStore

            return MemoryStore()
    assert_never(config)


@contextmanager
def _extra(kind: str) -> Generator[None]:
    """The packages of an extra, which has the name of its kind, may be missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(kind, kind) from error
