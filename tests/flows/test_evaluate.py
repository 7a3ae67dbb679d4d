"""How well an index answers, as a user asks for it."""

from typing import Any

import pytest

from tests.conftest import Outcome, Pipeline

PAGES = {
    "pump.md": "# Pump\n\nGrease the bearing every 400 hours.\n\n## Storm\n\nShut the gate before a storm.\n",
    "menu.md": "# Menu\n\nSoup, bread and a salad with walnuts.\n",
    "walk.md": "# Walk\n\nThe path leads along the river to the mill.\n",
}
QUERIES = {"1": "when is the bearing greased", "2": "salad with walnuts", "3": "path to the mill"}


@pytest.fixture
def judged(pipeline: Pipeline) -> Pipeline:
    """Three pages, a question to each, and where in them the answers stand."""
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    for name, text in PAGES.items():
        pipeline.write(name, text)
    pipeline.sync()
    lines = [f"{query}\t{name}\t1" for query, name in zip(QUERIES, PAGES, strict=True)]
    (pipeline.folder / "qrels.tsv").write_text("\n".join([*lines, "1\tgone.md\t1"]))
    (pipeline.folder / "queries.txt").write_text("".join(f"{name} {text}\n" for name, text in QUERIES.items()))
    start = PAGES["pump.md"].index("every 400")
    (pipeline.folder / "spans.tsv").write_text(f"1\tpump\t{start}\t{start + len('every 400 hours')}\n")
    return pipeline


def asked(pipeline: Pipeline, *options: str) -> Outcome:
    files = [f"--queries={pipeline.folder}/queries.txt", f"--qrels={pipeline.folder}/qrels.tsv"]
    return pipeline.run("evaluate", str(pipeline.config), *files, *options)


def test_each_mode_is_measured(judged: Pipeline) -> None:
    shape: Any = asked(judged, "--mode", "text", "--spans", f"{judged.folder}/spans.tsv", "--json").json
    assert (shape["mode"], shape["queries"], shape["generation"], shape["unknown_documents"]) == ("text", 3, 1, 1)
    assert shape["metrics"] == {
        "ndcg@10": 1.0, "recall@100": 1.0, "mrr@10": 1.0, "map": 1.0, "hit@1": 1.0, "hit@5": 1.0,
        "mrr:chunk": 1.0, "answer@1000": 1.0,
    }  # fmt: skip
    assert shape["confidence"]["map"] == [1.0, 1.0]
    assert asked(judged, "--json").json["mode"] == "hybrid"


def test_two_modes_are_compared_in_a_sentence(judged: Pipeline) -> None:
    outcome = asked(judged, "--mode", "text", "--against", "text")
    assert "against text, generation 1" in outcome.out
    assert "no difference that these 3 queries prove: ndcg@10 +0.000, between +0.000 and +0.000" in outcome.out
    assert "  ! judged documents that are not in the index, or not by that name alone: 1" in outcome.out
    shape = asked(judged, "--mode", "text", "--against", "dense", "--json").json
    assert shape["against"]["mode"] == "dense"
    assert set(shape["difference"]) == set(shape["metrics"])


def test_the_stores_own_nearest_are_compared_with_all(judged: Pipeline) -> None:
    shape = asked(judged, "--exact", "--json").json
    assert shape["exact"] == {"recall@10": [1.0, 1.0, 1.0], "recall@100": [1.0, 1.0, 1.0]}
    assert "exact" not in asked(judged, "--json").json
    out = asked(judged, "--exact").out
    assert "of those that comparing with every vector finds:\n  recall@10    1.000  [1.000, 1.000]" in out


def test_a_generation_that_is_not_there_is_told(judged: Pipeline) -> None:
    outcome = asked(judged, "--generation", "7", "--json")
    assert (outcome.code, "has no generation 7" in outcome.json["error"]) == (2, True)


def test_nothing_is_changed(judged: Pipeline) -> None:
    texts = judged.texts()
    assert asked(judged, "--mode", "dense", "--generation", "1").code == 0
    assert judged.texts() == texts
    report = judged.sync()
    assert (report["chunks"]["written"], report["chunks"]["embedded"]) == (0, 0)


def test_what_is_kept_is_compared_with_the_one_before_and_a_drop_is_told(judged: Pipeline) -> None:
    first = asked(judged, "--mode", "text", "--keep", "--json").json["kept"]
    assert (first["measure"], first["value"], first["change"], first["dropped"]) == ("ndcg@10", 1.0, None, False)
    again = asked(judged, "--mode", "text", "--keep")
    assert "kept: ndcg@10 1.000 [1.000, 1.000], as before: +0.000, between +0.000 and +0.000" in again.out
    for name in PAGES:
        judged.write(name, "# Nothing of it\n\nAll that stood here is gone.\n")
    judged.sync()
    worse = asked(judged, "--mode", "text", "--keep", "--json").json["kept"]
    assert (worse["value"], worse["dropped"], worse["change"]) == (0.0, True, [-1.0, -1.0, -1.0])
    status = judged.run("status", str(judged.config), "--json").json
    assert status["quality"] == worse
    assert "! ndcg@10 0.000 [0.000, 0.000], worse than before" in judged.run("status", str(judged.config)).out
    refused = asked(judged, "--model", "hashing", "--keep", "--json")
    assert (refused.code, "goes with no others" in refused.json["error"]) == (2, True)


def test_a_pipeline_that_was_never_measured_has_no_quality(judged: Pipeline) -> None:
    assert judged.run("status", str(judged.config), "--json").json["quality"] is None


def test_the_flow_keeps_its_result_and_emits_an_event_for_a_drop(
    judged: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flow's own code, without a server: what Prefect does with an event is its own concern."""
    from config.options import EvaluateOptions
    from config.read import read_pipeline
    from flows import evaluate as flow
    from tasks.evaluate.history import Kept
    from tasks.session import open_session

    events: list[Any] = []
    monkeypatch.setattr(flow, "announce", lambda *told: events.append(told))
    quality = f"quality: {{queries: {judged.folder}/queries.txt, qrels: {judged.folder}/qrels.tsv}}\n"
    judged.config.write_text(f"{judged.config.read_text()}search: {{mode: text}}\n")
    judged.sync()  # without a gate the generation takes it over
    judged.config.write_text(f"{judged.config.read_text()}{quality}")

    def run() -> Kept:
        pipeline = read_pipeline(judged.config)
        with open_session(pipeline, read_only=True) as session:
            _, kept = flow.measured(session, EvaluateOptions())
        flow.tell(pipeline.name, kept)
        return kept

    assert run().change is None
    for name in PAGES:
        judged.write(name, "# Nothing of it\n\nAll that stood here is gone.\n")
    judged.sync()
    assert events == []
    assert run().has_dropped
    [(name, pipeline, payload, sentence)] = events
    assert (name, pipeline, payload["value"]) == ("quality.dropped", "trial", 0.0)
    assert sentence.startswith("ndcg@10 0.000")
