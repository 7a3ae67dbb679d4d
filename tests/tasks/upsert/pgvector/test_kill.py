"""A process that is killed while it writes, and two that write the same."""

import random
import subprocess
import sys
import threading
from contextlib import closing

from tasks.records import PointId, Query
from tasks.upsert.pgvector.store import PgvectorStore
from tests.points import columns
from tests.tasks.upsert.pgvector.conftest import MakePoints

# Says what it is about to do (?) and what was acknowledged (!), one line each.
WRITER = """
import sys, uuid
import numpy as np
from tasks.records import Points
from tasks.upsert.pgvector.store import PgvectorStore
store = PgvectorStore(sys.argv[1], "c")
store.ensure(8)
while True:
    ids = [str(uuid.uuid4()) for _ in range(700)]
    print("?", *ids, flush=True)
    store.upsert(Points(ids, np.ones((700, 8), dtype="f4"), [{"headrace": {"document": "s:a"}}] * 700))
    print("!", *ids, flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_batch_and_leaves_no_half_one(postgres_url: str) -> None:
    acknowledged: set[PointId] = set()
    batches: list[set[PointId]] = []
    for lines in (2, 5, 8, 11):
        with subprocess.Popen([sys.executable, "-c", WRITER, postgres_url], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for number, line in enumerate(child.stdout, start=1):
                if number == lines:
                    child.kill()  # later lines may still be in the pipe, and count
                mark, *words = line.split()
                ids = {PointId(one) for one in words if len(one) == 36}
                if mark == "!":
                    acknowledged |= ids
                else:
                    batches.append(ids)
    with closing(PgvectorStore(postgres_url, "c")) as store:
        assert len(acknowledged) >= 11 * 700
        records = dict(store.scan())
        assert store.count() == len(records)
        assert acknowledged <= set(records) <= set().union(*batches)
        assert all(len(batch & set(records)) in (0, 700) for batch in batches)


def test_two_who_write_and_delete_the_same_records_end_in_order(postgres_url: str, make_points: MakePoints) -> None:
    points = make_points(400)
    failures: list[BaseException] = []
    stores = [PgvectorStore(postgres_url, "c") for _ in range(2)]
    stores[0].ensure(8)

    def work(store: PgvectorStore, seed: int) -> None:
        dice = random.Random(seed)
        try:
            for _ in range(25):
                shuffled = dice.sample(points, len(points))
                store.upsert(columns(*shuffled))
                store.delete([one.id for one in shuffled[:200]])
                assert len(store.search(Query(points[0].vector, 5))) == 5
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(store, seed)) for seed, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    stores[0].upsert(columns(*points))
    assert dict(stores[1].scan()) == {one.id: one.payload for one in points}
    for store in stores:
        store.close()
