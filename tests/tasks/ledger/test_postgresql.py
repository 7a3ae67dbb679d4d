"""What PostgreSQL adds: pipelines side by side, a lease between machines, a server that goes away."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from tasks.database.database import Database
from tasks.errors import FencedError, HeadraceError, LeaseHeldError, ServiceError, TransientError
from tasks.ledger.lease import holder, leased
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import LEDGER
from tests.postgres_server import PostgresServer


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    made = Ledger(postgres_url, "trial")
    yield made
    made.close()


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


def test_two_pipelines_share_a_database_and_nothing_else(ledger: Ledger, postgres_url: str) -> None:
    long = "x" * 90
    others = [Ledger(postgres_url, name) for name in ("other", long + "a", long + "b")]
    with leased(ledger, wait=False):
        for other in others:
            with leased(other, wait=False) as lease:
                assert lease.epoch == 1
    for other in others:
        other.close()


def test_the_holder_of_the_lease_is_named(ledger: Ledger, postgres_url: str) -> None:
    other = Ledger(postgres_url, "trial")
    with leased(ledger, wait=False), pytest.raises(LeaseHeldError, match=r"process \d+ on \S+ since"), _run(other):
        pass
    assert holder(other) is None
    other.close()


def _run(ledger: Ledger):
    return leased(ledger, wait=False)


def test_a_run_whose_connection_was_cut_is_overtaken_and_cannot_commit(ledger: Ledger, postgres_url: str) -> None:
    """The server ended the session that held the lock, as it does for a machine that fell off the network."""
    other = Ledger(postgres_url, "trial")

    def be_overtaken() -> None:
        with leased(ledger, wait=False):
            with psycopg.connect(plain(postgres_url), autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            with leased(other, wait=False) as lease:
                assert lease.epoch == 2
            with pytest.raises(FencedError):
                ledger.drop([])

    with pytest.raises(HeadraceError):
        be_overtaken()
    other.close()


def test_a_newer_run_waits_for_a_commit_that_has_passed_the_fence(ledger: Ledger, postgres_url: str) -> None:
    """Checked and then overtaken before the commit: the row lock forbids it."""
    other = Database(postgres_url, LEDGER, "headrace_trial")
    taken = threading.Event()

    def overtake() -> None:
        with other.write() as transaction:
            transaction.execute("UPDATE lease SET epoch = epoch + 1")
        taken.set()

    with leased(ledger, wait=False):
        with ledger.fenced("slow") as transaction:
            thread = threading.Thread(target=overtake)
            thread.start()
            assert not taken.wait(0.3)
            transaction.execute("INSERT INTO meta (key, value) VALUES ('a', 'b')")
        thread.join(10)
        assert taken.is_set()
        ledger.epoch = 2
    other.close()


def test_grace_is_counted_by_the_servers_clock(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ledger.database.now()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert 0 <= ledger.database.now() - before < 60


def test_tables_made_by_many_processes_at_once_are_made_once(postgres_url: str) -> None:
    failures: list[Exception] = []

    def make() -> None:
        try:
            Ledger(postgres_url, "crowd").close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises((ServiceError, TransientError), match=r"127\.0\.0\.1:1/") as caught:
        Ledger("postgresql+psycopg://u:secret@127.0.0.1:1/db", "trial")
    assert "secret" not in str(caught.value)


def test_a_server_that_crashes_loses_no_commit(postgres_url: str) -> None:
    with PostgresServer() as server:
        url = server.new_database("crash")
        ledger = Ledger(url, "trial")

        def crash() -> None:
            with leased(ledger, wait=False):
                with ledger.fenced("note") as transaction:
                    transaction.execute("INSERT INTO meta (key, value) VALUES ('a', 'b')")
                server.stop()
                with pytest.raises(TransientError, match="is the server up"):
                    ledger.check()
                server.start()
                ledger.check()
                raise TransientError("the run ends here")

        with pytest.raises(TransientError, match="the run ends here"):
            crash()
        again = Ledger(url, "trial")
        with leased(again, wait=False) as lease, again.database.read() as transaction:
            assert lease.epoch == 2
            assert transaction.execute("SELECT value FROM meta WHERE key = 'a'").scalar() == "b"
        ledger.close()
        again.close()
