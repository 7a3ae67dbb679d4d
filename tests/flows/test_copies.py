"""Near-duplicates: tagged or left out before anything is paid for, and brought back as if nothing had been."""

import json
import random
from typing import Any

import pytest

from tests.conftest import Pipeline

WORDS = [f"{first}{second}{third}" for first in ("ka", "lo", "mi") for second in ("du", "sha") for third in "xyz"]


def written(seed: int, count: int = 200) -> str:
    dice = random.Random(seed)
    return "# Page\n\n" + " ".join(f"{dice.choice(WORDS)}{dice.randrange(100)}" for _ in range(count)) + "\n"


def edited(text: str) -> str:
    return text.replace(text.split()[50], "otherwise", 1)


@pytest.fixture
def near(pipeline: Pipeline) -> Pipeline:
    """Two that are nearly the same, and one that is not."""
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    pipeline.write("b.md", written(1))
    pipeline.write("c.md", edited(written(1)))
    pipeline.write("d.md", written(2))
    return pipeline


def choose(near: Pipeline, action: str | None) -> None:
    plain = near.config.read_text().split("near_duplicates")[0]
    near.config.write_text(f"{plain}near_duplicates: {{action: {action}}}\n" if action else plain)


def metadata(near: Pipeline) -> dict[str, Any]:
    hits = near.run("search", str(near.config), "page", "--json", "--limit", "50").json["hits"]
    return {hit["document"]: hit["metadata"].get("near_duplicate_of") for hit in hits}


def ended(near: Pipeline, *options: str) -> Any:
    """A run whose plan said the same before."""
    plan, report = near.plan(), near.sync(*options)
    assert report["code"] == 0, report["notes"]
    assert (plan["documents"], plan["chunks"]["written"]) == (report["documents"], report["chunks"]["written"])
    assert plan["names"]["near_duplicates"] == report["names"]["near_duplicates"]
    return report


def test_a_copy_is_left_out_and_nothing_is_paid_for_it(near: Pipeline) -> None:
    choose(near, "drop")
    report = ended(near)
    assert report["names"]["near_duplicates"] == [{"document": "docs:c.md", "of": "docs:b.md"}]
    assert (report["documents"]["added"], report["documents"]["near_duplicates"], report["documents"]["empty"]) == (
        3,
        1,
        0,
    )
    assert sorted(near.texts()) == ["b.md", "d.md"]
    assert report["chunks"]["embedded"] == sum(map(len, near.texts().values()))
    status = near.run("status", str(near.config), "--json").json
    assert status["near_duplicates"] == report["names"]["near_duplicates"]
    assert status["partial"] == [
        {"document": "docs:c.md", "remark": "left out, for it is nearly the same as docs:b.md"}
    ]
    again = ended(near)
    assert (again["documents"]["unchanged"], again["chunks"]["written"]) == (3, 0)


@pytest.mark.parametrize("way", ["off", "tag", "original goes", "original differs", "copy differs", "threshold"])
def test_what_was_left_out_comes_back(near: Pipeline, way: str) -> None:
    choose(near, "drop")
    ended(near)
    if way in ("off", "tag"):
        choose(near, "tag" if way == "tag" else None)
    elif way == "threshold":
        near.config.write_text(near.config.read_text().replace("{action", "{threshold: 1, action"))
    elif way == "original goes":
        (near.folder / "docs/b.md").unlink()
    else:
        near.write("b.md" if way == "original differs" else "c.md", written(3))
    ended(near)
    assert sorted(near.texts()) == [name for name in ("b.md", "c.md", "d.md") if (near.folder / "docs" / name).exists()]
    assert metadata(near)["docs:c.md"] == ("docs:b.md" if way == "tag" else None)
    assert ended(near)["documents"]["unchanged"] == len(near.texts())


def test_a_tag_names_the_original_and_is_taken_away_again(near: Pipeline) -> None:
    assert ended(near)["documents"]["near_duplicates"] == 0
    choose(near, "tag")
    report = ended(near)
    assert (report["documents"]["changed"], report["chunks"]["embedded"]) == (1, 0)
    assert metadata(near) == {"docs:b.md": None, "docs:c.md": "docs:b.md", "docs:d.md": None}
    choose(near, None)
    assert ended(near)["documents"]["changed"] == 1
    assert set(metadata(near).values()) == {None}


def test_an_earlier_document_becomes_the_original_in_whatever_order_they_come(near: Pipeline) -> None:
    choose(near, "drop")
    ended(near)
    near.write("a.md", edited(edited(written(1))))
    report = ended(near)
    assert report["names"]["near_duplicates"] == [
        {"document": "docs:b.md", "of": "docs:a.md"},
        {"document": "docs:c.md", "of": "docs:a.md"},
    ]
    assert sorted(near.texts()) == ["a.md", "d.md"]


def test_many_that_are_left_out_are_no_loss_for_the_guard(near: Pipeline) -> None:
    near.config.write_text(f"{near.config.read_text()}deletions: {{max_count: 0, max_fraction: 0}}\n")
    for number in range(6):
        near.write(f"z{number}.md", edited(written(1)))
    ended(near)
    choose(near, "drop")
    assert ended(near)["documents"]["near_duplicates"] == 7
    for number in range(6):  # a page in place of them all still is one
        near.write(f"z{number}.md", "# Sign in\n\nPlease sign in to read this.\n")
    near.write("d.md", "# Sign in\n\nPlease sign in to read this.\n")
    assert near.sync()["code"] == 25


def test_documents_with_other_readers_are_both_kept(near: Pipeline) -> None:
    near.config.write_text(
        near.config.read_text().replace(
            "path: ./docs\n", "path: ./docs\n    acl: {sidecar: ['{path}.acl'], default: everyone}\n"
        )
    )
    (near.folder / "docs/b.md.acl").write_text("alice\n")
    choose(near, "drop")
    assert ended(near)["documents"]["near_duplicates"] == 0
    assert sorted(near.texts()) == ["b.md", "c.md", "d.md"]
    (near.folder / "docs/c.md.acl").write_text("alice\n")
    assert ended(near)["documents"]["near_duplicates"] == 1
    (near.folder / "docs/b.md.acl").write_text("bob\n")
    assert ended(near)["documents"]["near_duplicates"] == 0
    assert sorted(near.texts()) == ["b.md", "c.md", "d.md"]


def test_what_most_pages_have_in_common_is_told(near: Pipeline) -> None:
    choose(near, "tag")
    for number in range(4):
        near.write(
            f"{number}.md", f"# Terms\n\nAll rights are reserved.\n\n# Page {number}\n\n{written(number + 9, 300)}"
        )
    notes = " ".join(ended(near)["notes"])
    assert "in more than half of the documents" in notes, json.dumps(notes)
