"""A new generation goes live only if it answers as well as the one before."""

import threading
from typing import Any

import pytest

from config.read import read_pipeline
from tasks.search.query import Wanted, search_collection
from tasks.session import open_session
from tests.conftest import Pipeline
from tests.tasks.embed.local.families import FAMILIES, build

PAGES = 40
CONFIG = """\
name: trial
sources: [{kind: files, path: ./docs}]
embedder: {kind: hashing, dimensions: 256}
store: {kind: qdrant, path: ./db}
search: {mode: dense}
quality: {queries: ./queries.txt, qrels: ./qrels.txt}
"""


@pytest.fixture
def judged(pipeline: Pipeline) -> Pipeline:
    """Synced pages, and a question to each."""
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    for page in range(PAGES):
        pipeline.write(f"{page}.txt", f"page about topic{page} thing{page} matter{page} and nothing else")
    (pipeline.folder / "queries.txt").write_text("".join(f"q{page} topic{page} thing{page}\n" for page in range(PAGES)))
    (pipeline.folder / "qrels.txt").write_text("".join(f"q{page} 0 {page}.txt 1\n" for page in range(PAGES)))
    pipeline.config.write_text(CONFIG)
    assert pipeline.sync()["code"] == 0
    return pipeline


def rebuild(pipeline: Pipeline, dimensions: int, *options: str) -> Any:
    pipeline.config.write_text(CONFIG.replace("256", str(dimensions)))
    outcome = pipeline.run("rebuild", str(pipeline.config), "--json", *options)
    return {**outcome.json, "code": outcome.code}


def live(pipeline: Pipeline) -> list[int]:
    generations = pipeline.run("generations", str(pipeline.config), "--json").json
    return [one["generation"] for one in generations if one["live"]]


def found(pipeline: Pipeline) -> list[str]:
    hits = pipeline.run("search", str(pipeline.config), "topic7 thing7", "--limit", "1", "--json").json["hits"]
    return [hit["document"] for hit in hits]


def test_a_model_that_answers_worse_is_held_back_and_read_by_nobody(judged: Pipeline) -> None:
    assert found(judged) == ["docs:7.txt"]
    report = rebuild(judged, 8)
    assert (report["code"], report["outcome"], report["switched"]) == (25, "withheld", False)
    quality = report["quality"]
    assert quality["difference"]["ndcg@10"][2] < 0
    assert quality["sentence"].startswith("worse by ")
    assert (quality["forced"], quality["against"]["generation"], quality["generation"]) == (False, 1, 2)
    assert any("run rebuild with --force" in note for note in report["notes"])
    assert live(judged) == [1]
    assert found(judged) == ["docs:7.txt"]
    assert "worse by " in judged.run("generations", str(judged.config)).out


def test_a_reader_never_meets_an_untrained_model_and_the_good_one_in_one_step(
    judged: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> None:
    answers: list[tuple[list[int], list[str]]] = []
    done, begun, failures = threading.Event(), threading.Event(), list[BaseException]()
    pipeline = read_pipeline(judged.config)

    def poll() -> None:
        try:
            while not done.is_set():
                with open_session(pipeline, read_only=True) as session:
                    hits = search_collection(session, "topic7 thing7", Wanted(1)).hits
                    answers.append(([session.pipeline.generation], [hit.document for hit in hits]))
                begun.set()
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=poll)
    reader.start()
    begun.wait(60)
    try:
        untrained = build(FAMILIES["BERT, mean"], tmp_path_factory.mktemp("untrained"))
        section = f"kind: sentence-transformers, model: {untrained}, runtime: torch, device: cpu"
        judged.config.write_text(CONFIG.replace("kind: hashing, dimensions: 256", section))
        report = judged.run("rebuild", str(judged.config), "--json").json
        assert (report["outcome"], report["quality"]["model"]) == ("withheld", str(untrained))
        held_back = len(answers)
        assert rebuild(judged, 512)["switched"] is True
    finally:
        done.set()
        reader.join()
    assert failures == []
    assert {document for _, documents in answers for document in documents} == {"docs:7.txt"}
    assert {number for numbers, _ in answers[:held_back] for number in numbers} == {1}
    assert (live(judged), found(judged)) == ([3], ["docs:7.txt"])


def test_a_model_that_answers_as_well_goes_live_and_says_so(judged: Pipeline) -> None:
    report = rebuild(judged, 512)
    assert (report["code"], report["switched"], live(judged)) == (0, True, [2])
    assert report["quality"]["forced"] is False
    assert "than the live generation 1" in judged.run("generations", str(judged.config)).out


def test_a_worse_one_goes_live_where_that_is_meant_and_it_is_recorded(judged: Pipeline) -> None:
    report = rebuild(judged, 8, "--force")
    assert (report["code"], report["switched"], report["quality"]["forced"], live(judged)) == (0, True, True, [2])
    assert ", forced" in judged.run("generations", str(judged.config)).out


def test_so_much_less_is_accepted_as_the_settings_say(judged: Pipeline) -> None:
    text = CONFIG.replace("qrels: ./qrels.txt", "qrels: ./qrels.txt, max_drop: 1.0").replace("256", "8")
    judged.config.write_text(text)
    outcome = judged.run("rebuild", str(judged.config), "--json")
    assert (outcome.code, outcome.json["switched"]) == (0, True)


def test_another_fusion_holds_once_a_rebuild_has_compared_it(judged: Pipeline) -> None:
    """One that answers worse is held back, one as good is not; each is told wherever it is not followed."""
    told = "(mode: dense), not as the configuration says (mode: text): `headrace rebuild` compares both"
    judged.config.write_text(CONFIG.replace("{mode: dense}", "{mode: text}"))
    ask, queries = ("search", str(judged.config), "topic7 thing7", "--json"), judged.folder / "queries.txt"
    good = queries.read_text()
    queries.write_text("".join(f"q{page} topic{page}thing{page} thing{page}topic{page}\n" for page in range(PAGES)))
    assert (judged.run(*ask).json["mode"], told in judged.run(*ask).json["notes"][0]) == ("dense", True)
    asked = ("--queries", str(queries), "--qrels", str(judged.folder / "qrels.txt"), "--json")
    evaluated = judged.run("evaluate", str(judged.config), *asked)
    assert (evaluated.json["mode"], told in str(evaluated.json["notes"])) == ("dense", True)
    assert told in str(judged.run("status", str(judged.config), "--json").json["notes"])
    assert judged.run("search", str(judged.config), "topic7", "--mode", "text", "--json").json["notes"] == []
    assert told in str(judged.sync()["notes"])
    assert judged.run(*ask).json["mode"] == "dense"
    report = judged.run("rebuild", str(judged.config), "--json").json
    assert (report["outcome"], report["quality"]["mode"], report["quality"]["against"]["mode"]) == (
        "withheld",
        "text",
        "dense",
    )
    assert judged.run(*ask).json["mode"] == "dense"
    queries.write_text(good)
    report = judged.run("rebuild", str(judged.config), "--json").json
    assert (report["switched"], report["chunks"]["embedded"]) == (True, 0)
    assert (judged.run(*ask).json["mode"], judged.run(*ask).json["notes"]) == ("text", [])
    assert judged.sync()["notes"] == []
    assert judged.run("rollback", str(judged.config), "--json").code == 0
    assert judged.run(*ask).json["mode"] == "dense"


@pytest.mark.parametrize("without", ["a gate", "generations"])
def test_where_nothing_can_be_compared_another_fusion_holds_from_the_next_search_on(
    judged: Pipeline, without: str
) -> None:
    text = CONFIG.replace("{mode: dense}", "{mode: text}")
    shared = text.replace("path: ./db}", "path: ./db, collection: trial, shared: true}")
    judged.config.write_text(text.partition("quality:")[0] if without == "a gate" else shared)
    asked = judged.run("search", str(judged.config), "topic7 thing7", "--json").json
    assert (asked["mode"], asked["notes"]) == ("text", [])


def test_a_rebuild_beside_a_generation_that_is_to_be_dropped_compares_another_fusion_all_the_same(
    judged: Pipeline,
) -> None:
    """With the settings of the live one it would only end what a killed process had begun."""
    assert rebuild(judged, 512)["switched"] is True
    config = judged.config.read_text()
    with open_session(read_pipeline(judged.config)) as session:
        session.registry.leave(1)
    judged.config.write_text(config.replace("{mode: dense}", "{mode: hybrid}"))
    report = judged.run("rebuild", str(judged.config), "--json").json
    assert (report["quality"]["mode"], report["quality"]["against"]["mode"]) == ("hybrid", "dense")
    with open_session(read_pipeline(judged.config)) as session:
        session.registry.leave(2)
    number = live(judged)
    assert judged.run("rebuild", str(judged.config), "--json").json["quality"] is None
    assert live(judged) == number


def test_queries_that_cannot_be_read_stop_the_switch_and_nothing_else(judged: Pipeline) -> None:
    (judged.folder / "queries.txt").unlink()
    report = rebuild(judged, 512)
    assert (report["code"], "queries.txt cannot be read" in report["error"]) == (2, True)
    assert len(judged.run("generations", str(judged.config), "--json").json) == 1, "nothing was built in vain"
    assert live(judged) == [1]
    assert found(judged) == ["docs:7.txt"]
