"""The graph (HNSW) over a large collection's vectors, and how a search uses it.

A graph makes a search of 100,000 records fast and a write several times slower, so it is made once they are there.
Until then, and wherever few records pass the filters, a search compares them all.
"""

import logging

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from tasks.errors import ServiceError
from tasks.upsert.pgvector.server import Server
from tasks.upsert.pgvector.table import Form, Table

FROM = 50_000  # records; fewer are compared one by one as fast
NARROW = 2_000  # records that pass the filters; so many are found and compared as fast as the graph finds some of them
_VECTOR, _HALF = 2000, 4000  # dimensions that a graph takes, with floats of 32 bits and of 16
_WHOLE = {"vector": SQL("embedding <=> %s::vector"), "halfvec": SQL("embedding <=> %s::halfvec")}
_EFFORT, _MOST_EFFORT = 100, 1000
_MOST_MEMORY = 1 << 30  # bytes; with less than it needs, building takes several times as long
_SHORT = "53"  # how the SQLSTATE begins where the server is short of something, be it memory or disk
_WORKERS = 2  # PostgreSQL's own default, beside the process itself

_log = logging.getLogger("headrace")


def distance(form: Form) -> Composable:
    """Distance by all that is kept of the vectors; one parameter, the vector."""
    return _WHOLE[form.column]


def nearness(form: Form) -> Composable:
    """What a search orders by, which has to be what the graph was made of; one parameter, the vector."""
    if _is_graph_of_halves(form):
        return SQL("embedding::halfvec({0}) <=> %s::halfvec({0})").format(Literal(form.dimension))
    return distance(form)


def use(connection: psycopg.Connection, limit: int) -> None:
    """Go on, until the transaction ends, as long as too few records have passed the filters."""
    connection.execute(
        "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %s, true)",
        (str(min(max(_EFFORT, 2 * limit), _MOST_EFFORT)),),
    )


def avoid(connection: psycopg.Connection) -> None:
    """Compare every record, until the transaction ends."""
    connection.execute("SELECT set_config('enable_indexscan', 'off', true)")


def build(server: Server, table: Table, form: Form) -> None:
    """Made where it is missing and pays; nothing depends on it, so what goes wrong is only logged.

    The server drops one that was not finished, and meanwhile others can read. Several processes that build it share
    memory, of which a container may have too little; how much the server does not tell, so one is left to try.
    """
    if form.dimension > _HALF:
        return
    for workers in (_WORKERS, 0):
        try:
            with server.transaction() as connection:
                if _is_wanted(connection, table):
                    _build(connection, table, form, workers)
            return
        except ServiceError as error:
            if workers and (getattr(error.__cause__, "sqlstate", None) or "").startswith(_SHORT):
                _log.warning("the index is made by one process, which takes longer: %s", error)
                continue
            _log.warning("searches compare every record, as no index could be made: %s", error)
            return


def _is_wanted(connection: psycopg.Connection, table: Table) -> bool:
    """One process at a time; an index of the user's own, of whatever kind, serves as well."""
    alone, others, many = connection.execute(
        SQL(
            "SELECT pg_try_advisory_xact_lock(%s), (SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(%s)"
            " AND indisvalid AND pg_get_indexdef(indexrelid) LIKE '%%embedding%%'"
            " AND pg_get_indexdef(indexrelid) NOT LIKE '%%jsonb_path_ops%%'),"
            " (SELECT count(*) FROM (SELECT FROM {} LIMIT %s) AS part)"
        ).format(table.name),
        (table.lock, table.path, FROM),
    ).fetchone() or (False, 0, 0)
    return bool(alone and not others and many >= FROM)


def _is_graph_of_halves(form: Form) -> bool:
    """Although the vectors are whole ones."""
    return form.column == "vector" and _VECTOR < form.dimension <= _HALF


def _build(connection: psycopg.Connection, table: Table, form: Form, workers: int) -> None:
    _log.info("making the index for searches in %s: some minutes for a million records", table.path)
    connection.execute(
        SQL(
            "SELECT set_config('statement_timeout', '0', true),"
            " set_config('max_parallel_maintenance_workers', %s, true),"
            " set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')),"
            " least(%s, coalesce((SELECT max(pg_table_size(relid)) FROM pg_partition_tree(to_regclass(%s))),"
            " pg_table_size(%s)))) / 1024 || 'kB', true)"
        ),
        (str(workers), _MOST_MEMORY, table.path, table.path),
    )
    half = SQL("(embedding::halfvec({})) halfvec_cosine_ops").format(Literal(form.dimension))
    indexed = half if _is_graph_of_halves(form) else SQL(f"embedding {form.column}_cosine_ops")
    connection.execute(SQL("DROP INDEX IF EXISTS {}").format(table.graph))
    connection.execute(
        SQL("CREATE INDEX {} ON {} USING hnsw ({})").format(Identifier(table.graph_name), table.name, indexed)
    )
