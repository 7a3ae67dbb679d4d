"""A site that answers everything with a login or an error page takes nothing away; honest mass edits go through."""

import hashlib
import json
import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from tests.conftest import Pipeline

PAGES = 14
MENU = "\n".join(f"- {name} and its parts" for name in ("Intake", "Turbine", "Outlet", "Gates", "Screens", "Prices"))
LOGIN = "# Sign in\n\nPlease sign in to continue to the handbook of the company."
LICENCE = "Copyright 2026 The Authors. Use this file as the licence says, without warranty of any kind, or not at all."
Edit = Callable[[int, str], str]


def words(seed: int, count: int) -> str:
    dice = random.Random(seed)
    made = ("".join(dice.choices(["ka", "lo", "mi", "ter", "ven", "du", "sha", "ro"], k=3)) for _ in range(count))
    return " ".join(made)


def token(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def written(number: int) -> str:
    """A page of its own below a menu that all have."""
    parts = [f"## {words(number + 50 * part, 3)}\n\n{words(number + 99 * part, 40)}." for part in range(3)]
    return "\n\n".join([MENU, f"# {words(number, 4)}", *parts]) + "\n"


def from_template(number: int) -> str:
    """A page that differs from the others in its number alone."""
    return f"# Page {number}\n\nThis is what page {number} says, and there is nothing else on it but its number.\n"


def of_numbers(number: int) -> str:
    """A list of parts, as long as a page: of its words nearly all are numbers."""
    dice = random.Random(number)
    rows = (f"| X{dice.randrange(10**6)} | {dice.randrange(99)} | {dice.randrange(9999) / 100} |" for _ in range(40))
    return f"# Stock of {words(number, 2)}\n\n| part | stock | price |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def log(number: int) -> str:
    dice = random.Random(number + 500)
    rows = (f"2026-11-{dice.randrange(10, 29)} {dice.choice(['note', 'fatal'])} 10.0.{number}.7" for _ in range(60))
    return "\n".join(rows) + "\n"


def rotated(_: int, text: str) -> str:
    """Every word is another one, and every line is still where it was."""
    return "".join(chr((ord(letter) - 90) % 26 + 97) if "a" <= letter <= "z" else letter for letter in text)


ATTACKS: dict[str, Edit] = {
    "one page": lambda number, text: LOGIN,
    "a token": lambda number, text: f"{LOGIN} Request {token(number)}\n",
    "a word": lambda number, text: f"{LOGIN} The word of the day is {words(number, 1)}.\n",
    "an address": lambda number, text: f"{LOGIN}\n\nBack to https://example.org/{words(number, 2)}?next={number}\n",
    "a time": lambda number, text: f"{LOGIN}\n\nServed on 2026-11-{number + 1:02} at 12:{number}:07.\n",
    "a browser": lambda number, text: f"{LOGIN}\n\nFor Mozilla/5.0 (X11; Linux x86_64; rv:{number}.0) Gecko/{number}\n",
    "a title": lambda number, text: f"{LOGIN}\n\nYou asked for {text[text.index('# ') + 2 :].splitlines()[0]}.\n",
    "first lines": lambda number, text: text[: text.index("\n", text.index("# ")) + 1],
    "little left": lambda number, text: text[: max(12, len(text) // 6)],
    "the menu": lambda number, text: f"{MENU}\n\nLoading the page, wait for it.\n",
    "three pages": lambda number, text: (
        [LOGIN, "# Not found\n\nThere is no such page here, or not any more.", "# Too many requests\n\nAsk later."][
            number % 3
        ]
        + f"\n\n{token(number)}\n"
    ),
    "a mixture": lambda number, text: [f"{LOGIN}\n\n{token(number)}", text.splitlines()[0], "", LOGIN][number % 4],
}

HONEST: dict[str, Edit] = {
    "a licence": lambda number, text: f"{LICENCE}\n\n{text}",
    "a new menu": lambda number, text: text.replace(MENU, MENU.replace("and its parts", "of ours, in short")),
    "no menu": lambda number, text: text.replace(MENU, ""),
    "another layout": lambda number, text: text.replace(" ", "\n").replace("#\n", "# "),
    "another language": rotated,
    "a new name": lambda number, text: text.replace("mi", "mu").replace("Page", "Sheet"),
    "other numbers": lambda number, text: text.replace(str(number), str(number + 4000)),
    "one more part": lambda number, text: f"{text}\n\n## News\n\n{words(number + 7, 20)}\n",
}


@pytest.fixture
def site(pipeline: Pipeline) -> Pipeline:
    """Six lost documents are too many."""
    pipeline.config.write_text(
        f"{pipeline.config.read_text()}deletions: {{max_count: 5, max_fraction: 0, max_weekly_fraction: 1}}\n"
    )
    return pipeline


def publish(site: Pipeline, page: Callable[[int], str], edit: Edit = lambda _, text: text) -> None:
    for number in range(PAGES):
        site.write(f"n{number:02}.md", edit(number, page(number)))


def forget_samples(site: Pipeline) -> None:
    """As in a ledger of old."""
    with closing(sqlite3.connect(site.folder / "state/trial.db")) as ledger, ledger:
        ledger.execute("UPDATE document SET sample = NULL")


@pytest.mark.parametrize("page", [written, from_template, of_numbers])
def test_pages_that_all_turn_into_something_else_are_kept(site: Pipeline, page: Callable[[int], str]) -> None:
    publish(site, page)
    assert site.sync()["code"] == 0
    before = site.texts()
    for name, edit in ATTACKS.items():
        publish(site, page, edit)
        report = site.sync()
        assert (name, report["code"], report["documents"]["withheld"]) == (name, 25, PAGES), report["notes"]
        assert (report["documents"]["changed"], report["chunks"]["removed"]) == (0, 0)
    assert site.texts() == before
    publish(site, page)
    assert site.sync()["documents"]["held"] == 0


NUMBERS: dict[str, Edit] = {
    "other heads": lambda _, text: text.replace("| part | stock | price |", "| Teil | Bestand | Preis |"),
    "no title": lambda _, text: text.partition("\n\n")[2],
    "no numbers of old": lambda number, _: (
        of_numbers(number + 70).replace("Stock", "Inventory").replace("part", "item")
    ),
    "another form": lambda _, text: text.replace(" | ", ";").replace("| ", "").replace(" |", ""),
    "logs": lambda number, _: log(number),
    "pages": lambda number, _: written(number),
}


def test_lists_of_numbers_are_told_from_one_another(site: Pipeline) -> None:
    publish(site, of_numbers)
    assert site.sync()["code"] == 0
    for name, edit in NUMBERS.items():
        for page in (edit, lambda _, text: text):
            publish(site, of_numbers, page)
            report = site.sync()
            assert (name, report["code"], report["documents"]["withheld"]) == (name, 0, 0), report["notes"]
    publish(site, log)
    assert site.sync()["code"] == 0
    for count, length in ((1, 64), (40, 64), (20, 32)):
        publish(site, log, partial(with_tokens, count, length))
        assert site.sync()["code"] == 25


def test_data_without_a_blank_are_told_from_one_another(site: Pipeline) -> None:
    publish(site, written)
    site.sync()
    publish(site, in_one_word)
    assert site.sync()["code"] == 0


def with_tokens(count: int, length: int, number: int, _: str) -> str:
    return f"{LOGIN} {' '.join(token(99 * number + one)[:length] for one in range(count))}\n"


def in_one_word(number: int) -> str:
    return json.dumps(
        {f"k{part}": words(number * 77 + part, 3).replace(" ", "-") for part in range(20)}, separators=(",", ":")
    )


@pytest.mark.parametrize("page", [written, from_template, of_numbers])
def test_an_honest_change_of_all_pages_needs_no_word(site: Pipeline, page: Callable[[int], str]) -> None:
    publish(site, page)
    assert site.sync()["code"] == 0
    for name, edit in HONEST.items():
        if page is from_template and name == "another language":
            continue  # not to be told from a page in place of them all, which may show the number too
        publish(site, page, edit)
        report = site.sync()
        assert (name, report["code"], report["documents"]["withheld"]) == (name, 0, 0), report["notes"]
        if page is from_template and name == "one more part":
            break  # taken away again, all that is left of a page is what they all have
        publish(site, page)
        report = site.sync()
        assert (name, report["code"]) == (name, 0), report["notes"]


def test_what_is_withheld_is_named_with_its_reason_and_confirmed_once(site: Pipeline) -> None:
    publish(site, written)
    site.sync()
    publish(site, written, ATTACKS["a token"])
    for number in range(6):
        site.write(f"n{number:02}.md", f"# {words(number, 4)}\n")
    site.write("a.md", "# Alpha\n\nFirst page, and a word more.\n\n## Install\n\nRun the thing.\n")
    plan, report = site.plan(), site.sync()
    note = report["notes"][-1]
    assert "8 that used to differ would have nearly the same content: '# Sign in Please sign in" in note
    assert "6 would keep less than a third of their text" in note
    assert (report["documents"]["changed"], report["documents"]["withheld"]) == (1, PAGES)
    assert (plan["plan_hash"], plan["documents"]) == (report["plan_hash"], report["documents"])
    assert plan["chunks"] == report["chunks"]
    confirmed = site.sync("--confirm-deletes", report["plan_hash"])
    assert (confirmed["code"], confirmed["documents"]["changed"]) == (0, PAGES)
    assert site.texts()["n09.md"][0].startswith("# Sign in")
    assert site.sync()["documents"]["unchanged"] == PAGES + 3


def test_documents_of_a_ledger_without_samples_are_guarded_too(site: Pipeline) -> None:
    publish(site, written)
    site.sync()
    forget_samples(site)
    before = site.texts()
    publish(site, written, ATTACKS["a token"])
    assert (site.sync()["code"], site.texts()) == (25, before)
    publish(site, written, HONEST["one more part"])
    assert site.sync()["code"] == 0


def rebuild(site: Pipeline, *options: str) -> tuple[int, Any]:
    outcome = site.run("rebuild", str(site.config), "--json", *options)
    return outcome.code, outcome.json


def resize(site: Pipeline, dimensions: int) -> None:
    site.config.write_text(re.sub("dimensions: [0-9]+", f"dimensions: {dimensions}", site.config.read_text()))


def shows_login(site: Pipeline) -> bool:
    hits = site.run("search", str(site.config), "sign in to continue", "--json").json["hits"]
    return any("Sign in" in hit["text"] for hit in hits)


@pytest.mark.parametrize(
    ("page", "names", "is_sampled"),
    [
        (written, ["one page", "a title", "a mixture"], True),
        (written, ["a token", "little left"], False),
        (from_template, ["three pages"], True),
    ],
)
def test_a_rebuild_takes_no_page_for_all_others(
    site: Pipeline, page: Callable[[int], str], names: list[str], *, is_sampled: bool
) -> None:
    publish(site, page)
    site.sync()
    if not is_sampled:
        forget_samples(site)
    for number, name in enumerate(names):
        resize(site, 100 + number)
        publish(site, page, ATTACKS[name])
        code, report = rebuild(site)
        assert (name, code, report["switched"]) == (name, 25, False), report["notes"]
        assert (report["outcome"], report["documents"]["withheld"]) == ("withheld", PAGES)
        assert not shows_login(site)
    code, report = rebuild(site, "--confirm-deletes", report["plan_hash"])
    assert (code, report["switched"]) == (0, True)


def test_a_rebuild_after_an_honest_change_needs_no_word(site: Pipeline) -> None:
    publish(site, written)
    site.sync()
    for number, name in enumerate(["a licence", "no menu", "another language"]):
        resize(site, 100 + number)
        publish(site, written, HONEST[name])
        code, report = rebuild(site)
        assert (name, code, report["switched"]) == (name, 0, True), report["notes"]


def test_a_page_for_all_others_is_noticed_in_one_source_of_many(site: Pipeline) -> None:
    sources = "sources:\n  - {kind: files, name: other, path: ./other}\n"
    site.config.write_text(
        site.config.read_text().replace("sources:\n", sources).replace("max_fraction: 0,", "max_fraction: 0.5,")
    )
    for number in range(2 * PAGES):
        path = site.folder / "other" / f"{number}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(written(number + 500))
    publish(site, written)
    assert site.sync()["code"] == 0
    resize(site, 96)
    publish(site, written, ATTACKS["a token"])
    code, report = rebuild(site)
    assert (code, report["switched"]) == (25, False)
    assert "source 'docs'" in report["notes"][-2]


def test_a_ledger_that_was_lost_guards_what_the_collection_has(site: Pipeline) -> None:
    publish(site, written)
    site.sync()
    for path in (site.folder / "state").glob("trial.db*"):
        path.unlink()
    before = site.texts()
    publish(site, written, ATTACKS["a mixture"])
    report = site.sync()
    assert (report["code"], report["documents"]["withheld"]) == (25, PAGES), report["notes"]
    assert site.texts() == before


def test_documents_that_are_cut_another_way_are_guarded_without_samples(site: Pipeline) -> None:
    publish(site, written)
    site.sync()
    forget_samples(site)
    site.config.write_text(f"{site.config.read_text()}chunking: {{max_tokens: 40}}\n")
    before = site.texts()
    publish(site, written, ATTACKS["a token"])
    assert (site.sync()["code"], site.texts()) == (25, before)
    publish(site, written, HONEST["one more part"])
    assert site.sync()["code"] == 0
