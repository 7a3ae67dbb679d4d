"""Which of the nearest chunks a search shows: pages, a least score, so many of one document."""

import re
from typing import Any

import pytest

from tests.conftest import Pipeline


def search(pipeline: Pipeline, *options: str) -> Any:
    outcome = pipeline.run("search", str(pipeline.config), "page of the third kind", *options, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.json


@pytest.fixture
def pages(pipeline: Pipeline) -> Pipeline:
    """One document that has most of what is near, and some others."""
    section = "## Section {0}\n\nA page of the third kind, and of number {0}.\n\n"
    pipeline.write("long.md", "# Long\n\n" + "".join(section.format(number) for number in range(40)))
    for number in range(6):
        pipeline.write(f"short{number}.md", f"# Short\n\nSomething else, page {number}.\n\n## More\n\nWords again.\n")
    assert pipeline.sync()["code"] == 0
    return pipeline


def test_pages_of_results_are_parts_of_one_answer(pages: Pipeline) -> None:
    whole = search(pages, "--limit", "100")["hits"]
    parts = [search(pages, "--limit", "7", "--offset", str(offset)) for offset in range(0, len(whole) + 7, 7)]
    assert [hit for part in parts for hit in part["hits"]] == whole
    assert len(whole) > 40
    assert parts[-1]["hits"] == []


def test_results_below_the_least_score_are_left_out(pages: Pipeline) -> None:
    whole = search(pages, "--limit", "100")["hits"]
    score = whole[3]["score"]
    near = search(pages, "--limit", "100", "--min-score", str(score))["hits"]
    assert near == [hit for hit in whole if hit["score"] >= score]
    assert 4 <= len(near) < len(whole)
    assert search(pages, "--limit", "100", "--min-score", "-1")["hits"] == whole


@pytest.mark.parametrize("most", [1, 2])
def test_one_document_may_have_so_many_results_and_others_take_their_places(pages: Pipeline, most: int) -> None:
    whole = search(pages, "--limit", "100", "--per-document", "100")["hits"]
    expected = [
        hit
        for rank, hit in enumerate(whole)
        if sum(other["document"] == hit["document"] for other in whole[:rank]) < most
    ]
    assert sum(hit["document"] == "docs:long.md" for hit in whole[:20]) > 16  # so the first answer is not enough
    for limit, offset in ((2, 0), (3, 0), (3, 4), (99, 0), (99, 2)):
        options = "--limit", str(limit), "--offset", str(offset), "--per-document", str(most)
        assert search(pages, *options)["hits"] == expected[offset : offset + limit]
    near = search(pages, "--per-document", str(most), "--min-score", str(expected[most]["score"]))["hits"]
    assert near == [hit for hit in expected[:5] if hit["score"] >= expected[most]["score"]]


def test_dates_are_compared_as_moments(pipeline: Pipeline) -> None:
    for day in ("2024-01-31", "2024-02-01", "2024-02-01T01:00:00+02:00", "Feb 2024"):
        pipeline.write(f"{day}.md", f"---\ntitle: {day}\n---\nWords of the day.\n")
    assert pipeline.sync()["code"] == 0
    hits = search(pipeline, "--limit", "9", "--filter", "title>=2024-02-01")["hits"]
    assert {hit["document"] for hit in hits} == {"docs:2024-02-01.md"}
    hits = search(pipeline, "--limit", "9", "--filter", "title<2024-02-01", "--filter", "title>2024-01-31")["hits"]
    assert {hit["document"] for hit in hits} == {"docs:2024-02-01T01:00:00+02:00.md"}


def test_folding_leaves_a_filter_as_it_is(pages: Pipeline) -> None:
    hits = search(pages, "--per-document", "1", "--limit", "9", "--filter", "document!=long.md")["hits"]
    assert len(hits) == 9
    assert len({hit["document"] for hit in hits}) == 9
    assert "docs:long.md" not in {hit["document"] for hit in hits}


def test_what_was_asked_for_stands_in_the_answer(pages: Pipeline) -> None:
    answer = search(pages, "--offset", "2", "--min-score", "0.1", "--per-document", "3", "--filter", "source=docs")
    hits = answer.pop("hits")
    assert answer.pop("complete_at") > 0
    assert answer == {
        "rerank": None,
        "notes": [],
        "query": "page of the third kind",
        "image": None,
        "limit": 5,
        "offset": 2,
        "min_score": 0.1,
        "per_document": 3,
        "filter": ["source=docs"],
        "mode": "hybrid",
    }
    assert all(set(hit) == {"score", "document", "text", "metadata", "link"} for hit in hits)
    plain = search(pages)
    assert (plain["offset"], plain["min_score"], plain["per_document"], plain["filter"]) == (0, None, None, [])


def test_a_person_sees_ranks_that_go_on_and_hears_why_nothing_is_left(pages: Pipeline) -> None:
    options = ("--offset", "9", "--limit", "2", "--per-document", "99")
    shown = pages.run("search", str(pages.config), "page of the third kind", *options).out
    assert shown.startswith("10  0.")
    assert re.search(r"docs:long\.md, lines \d+-\d+, Long > Section ", shown)
    assert "\n\n11  0." in shown
    none = pages.run("search", str(pages.config), "page", "--offset", "999999", "--min-score", "1")
    assert (none.code, none.out.startswith("nothing found: ")) == (0, True)
    assert "--min-score" in none.out


def test_neighbours_come_along_where_they_are_asked_for(pages: Pipeline) -> None:
    hits = search(pages, "--filter", "document=long.md", "--per-document", "99", "--limit", "99", "--context", "1")[
        "hits"
    ]
    texts = {hit["metadata"]["position"]: hit["text"] for hit in hits}
    assert len(texts) > 10
    for hit in hits:
        place = hit["metadata"]["position"]
        assert hit["before"] == [texts.get(place - 1, "")][: int(place > 0)]
        assert hit["after"] == [texts.get(place + 1, "")][: int(place + 1 in texts)]
    assert "before" not in search(pages)["hits"][0]


def test_the_same_text_in_several_documents_takes_one_place(pipeline: Pipeline) -> None:
    for name in ("a.md", "copy.md", "old/copy.md"):
        pipeline.write(name, "# Kinds\n\nThe third kind: a page of the third kind of bearing.\n")
    pipeline.write("other.md", "# Other\n\nA page of the third kind.\n")
    assert pipeline.sync()["code"] == 0
    for mode in ("hybrid", "dense", "text"):
        hits = search(pipeline, "--limit", "2", "--mode", mode)["hits"]
        (one,) = (hit for hit in hits if "copies" in hit)
        places = {one["document"], *(copy["document"] for copy in one["copies"])}
        assert places == {"docs:a.md", "docs:copy.md", "docs:old/copy.md"}
        assert [hit["document"] for hit in hits if hit is not one] == ["docs:other.md"]
        assert not places & {hit["document"] for hit in search(pipeline, "--offset", "2", "--mode", mode)["hits"]}
    out = pipeline.run("search", str(pipeline.config), "bearing", "--limit", "1").out
    assert out.count("the same: docs:") == 2
    alone = search(pipeline, "--filter", "document=copy.md")["hits"]
    assert [(hit["document"], "copies" in hit) for hit in alone] == [("docs:copy.md", False)]


def test_copies_are_documents_of_their_own_to_an_evaluation(pipeline: Pipeline) -> None:
    for name in ("a.md", "copy.md"):
        pipeline.write(name, "# Grease\n\nGrease the bearing of the third kind.\n")
    assert pipeline.sync()["code"] == 0
    (pipeline.folder / "q").write_text("1 bearing of the third kind\n")
    (pipeline.folder / "r").write_text("1 0 a.md 1\n1 0 copy.md 1\n")
    files = f"--queries={pipeline.folder / 'q'}", f"--qrels={pipeline.folder / 'r'}"
    assert pipeline.run("evaluate", str(pipeline.config), *files, "--json").json["metrics"]["recall@100"] == 1.0
