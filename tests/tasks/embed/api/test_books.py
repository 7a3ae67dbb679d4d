"""The database of the money: where it cannot be, or is damaged, its setting is named or it begins anew."""

import sqlite3
from pathlib import Path

import pytest

from tasks.embed.api.dispatch.account import Account, Demand, Terms
from tasks.embed.api.dispatch.backoff import Clock
from tasks.errors import ConfigError


def claimed(path: Path) -> None:
    account = Account(f"sqlite:///{path}", ("key",), Terms(usd_per_million_tokens=1.0), Clock())
    assert isinstance(account.claim(Demand(10)), list)
    account.close()


def test_a_place_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "budget.db", Path("/proc/nowhere/budget.db")):
        with pytest.raises(ConfigError, match=r"budget\.db.*set embedder\.budget to a place that can be written"):
            claimed(place)


@pytest.mark.parametrize("damage", ["no database", "cut off", "overwritten"])
def test_a_damaged_file_is_set_aside_and_the_run_goes_on(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "budget.db"
    claimed(path)
    content = path.read_bytes()
    changed = {
        "no database": b"no database " * 2000,
        "cut off": content[: len(content) // 2],
        "overwritten": content[:8192] + b"\xff" * (len(content) - 8192),
    }[damage]
    path.write_bytes(changed)
    claimed(path)
    [aside] = tmp_path.glob("budget.db.damaged-*")
    assert aside.read_bytes() == changed
    assert f"{path} is damaged, and was set aside as {aside.name}" in caplog.text


def test_a_sound_file_stays_whoever_is_writing_it(tmp_path: Path) -> None:
    path = tmp_path / "budget.db"
    claimed(path)
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        account = Account(f"sqlite:///{path}", ("key",), Terms(), Clock())
        _ = account._database
        writer.execute("ROLLBACK")
    writer.close()
    account.close()
    assert not list(tmp_path.glob("*damaged*"))
