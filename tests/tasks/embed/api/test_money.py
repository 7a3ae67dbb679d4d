"""Money: no limit is passed, by one run or by many at once, and nothing that was paid is lost."""

import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.database.database import Database
from tasks.embed.api.dispatch.account import Account, Demand, Terms, Usage
from tasks.embed.api.dispatch.backoff import Clock
from tasks.embed.api.dispatch.tables import BUDGET
from tasks.errors import BudgetError, ServiceError
from tests.tasks.embed.sky import Provider, Time, trial

PRICE = 0.02  # USD for a million tokens
TOTAL = 20 * 2 * 10_000 * PRICE / 1e6  # what the cheapest trial of 20 requests costs at least


def names(url: str) -> tuple[str, str]:
    return "openai", url


@pytest.mark.parametrize("seed", range(20))
def test_a_run_stops_before_its_limit_and_keeps_what_it_paid(seed: int) -> None:
    dice = random.Random(seed)
    time = Time(dice=dice)
    provider = Provider(time, 1e9, 1e12)
    provider.faults = ["500", "drop"] * dice.randint(0, 4)
    limit = dice.uniform(0.1, 4) * TOTAL
    terms = Terms(usd_per_million_tokens=PRICE, max_usd=limit)
    made = trial("sqlite://", provider, time, terms, requests=20)
    rows: list[int] = []
    cost = 0.0
    was_stopped = False
    try:
        for batch in made.dispatcher.run(made.batches, made.texts, made.tokens):
            rows += batch.rows
            cost += batch.cost_usd
    except BudgetError:
        was_stopped = True
    assert was_stopped == (len(rows) < 40)
    billed = (provider.served_tokens + provider.lost_tokens) * PRICE / 1e6
    assert cost == pytest.approx(billed), "an answer that was lost is counted too"
    assert billed <= limit
    assert sorted(rows) == sorted(int(text.split()[1]) for text in provider.paid)


def test_the_limit_of_a_day_holds_for_all_runs_and_ends_with_the_day(tmp_path: Path) -> None:
    time = Time(now=datetime(2026, 3, 1, 23, 50, tzinfo=UTC).timestamp())
    terms = Terms(usd_per_million_tokens=1.0, max_usd_per_day=1.0)
    url = f"sqlite:///{tmp_path}/budget.db"
    first, second = (Account(url, names("key"), terms, time.clock) for _ in range(2))
    reservations = first.claim(Demand(600_000))
    assert isinstance(reservations, list)
    with pytest.raises(BudgetError, match=r"max_usd_per_day is 1: \$0.600000 are spent on 2026-03-01 \(UTC\)"):
        second.claim(Demand(600_000))
    first.settle(Usage(reservations[0], 300_000))
    assert isinstance(second.claim(Demand(600_000)), list)
    assert isinstance(Account(url, names("another key"), terms, time.clock).claim(Demand(600_000)), list)
    time.now += 3600
    assert isinstance(second.claim(Demand(600_000)), list)


@pytest.mark.parametrize("limit", ["max_usd", "max_usd_per_day"])
def test_of_requests_that_cost_too_much_together_the_first_may_go(limit: str) -> None:
    account = Account("sqlite://", names("key"), Terms(usd_per_million_tokens=1.0, **{limit: 1.0}), Clock())
    reservations = account.claim(Demand(400_000), Demand(500_000), Demand(200_000), Demand(1))
    assert isinstance(reservations, list)
    assert [reservation.tokens for reservation in reservations] == [400_000, 500_000]
    with pytest.raises(BudgetError, match=rf"{limit} is 1: \$0.900000 are spent.*costs \$0.200000"):
        account.claim(Demand(200_000), Demand(1))
    assert account.settle(Usage(reservations[0], 100_000), Usage(reservations[1], 500_000)) == pytest.approx(0.6)
    assert isinstance(account.claim(Demand(400_000)), list)


def test_what_a_killed_run_had_set_aside_counts_as_spent(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/budget.db"
    terms = "Terms(usd_per_million_tokens=1.0, max_usd_per_day=1.0)"
    claim = (
        "import os; from tasks.embed.api.dispatch.account import *\n"
        f"account = Account({url!r}, ('openai', 'key'), {terms}, Clock()); account.claim(Demand(700_000)); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", claim], check=False).returncode == 9
    account = Account(url, names("key"), Terms(usd_per_million_tokens=1.0, max_usd_per_day=1.0), Clock())
    with pytest.raises(BudgetError):
        account.claim(Demand(400_000))


def test_many_processes_together_never_pass_the_limit(tmp_path: Path) -> None:
    """On SQLite; each of eight processes claims for a few cents as often as it may."""
    spent = sum(_greedy(f"sqlite:///{tmp_path}/budget.db", 8))
    assert 0.9 <= spent <= 1.0


def test_many_machines_together_never_pass_the_limit(postgres_url: str) -> None:
    """On PostgreSQL, where transactions do run at the same time."""
    spent = sum(_greedy(postgres_url, 4))
    assert 0.9 <= spent <= 1.0


def _greedy(url: str, processes: int) -> list[float]:
    claim = (
        "from tasks.embed.api.dispatch.account import *\n"
        "TERMS = Terms(usd_per_million_tokens=1.0, max_usd_per_day=1.0)\n"
        f"account = Account({url!r}, ('openai', 'key'), TERMS, Clock())\n"
        "spent = 0.0\n"
        "try:\n"
        "    while True:\n"
        "        [reservation] = account.claim(Demand(50_000))\n"
        "        spent += account.settle(Usage(reservation, 49_000))\n"
        "except BudgetError:\n"
        "    print(spent)\n"
    )
    Database(url, BUDGET, "headrace_budget").close()
    command = [sys.executable, "-c", claim]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return [float(process.communicate()[0]) for process in running]


def test_an_overtaken_run_still_gets_what_is_on_its_way() -> None:
    """The error that the consumer throws in comes back only after every answer that is already paid."""
    time = Time()
    provider = Provider(time, 1e9, 1e12)
    made = trial("sqlite://", provider, time, Terms(), requests=30, most_at_once=8)
    run = made.dispatcher.run(made.batches, made.texts, made.tokens)
    rows = [*next(run).rows]
    told = ""
    while not told:
        try:
            rows += run.throw(ServiceError("overtaken")).rows
        except ServiceError as error:
            told = str(error)
    assert told == "overtaken"
    assert len(rows) == sum(provider.paid.values()) == 2 * 8
