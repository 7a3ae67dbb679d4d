"""The picture of the last runs has what the ledger knows of them, and of the evaluations between them."""

import base64

from config.read import read_pipeline
from tasks.console.history import history
from tasks.session import open_session
from tests.conftest import Pipeline


def shown(pipeline: Pipeline) -> tuple[str, str]:
    """The page's part, and the picture in it."""
    with open_session(read_pipeline(pipeline.config), read_only=True) as session:
        part = history(session)
    picture = part.partition("](data:image/svg+xml;base64,")[2].partition(")")[0]
    return part, base64.b64decode(picture).decode()


def test_runs_and_evaluations_are_drawn_side_by_side(pipeline: Pipeline) -> None:
    (pipeline.folder / "queries.txt").write_text("q1\tfirst page\nq2\tsecond page\n")
    (pipeline.folder / "qrels.tsv").write_text("q1\ta.md\t1\nq2\tb.md\t1\n")
    named = ("--queries", str(pipeline.folder / "queries.txt"), "--qrels", str(pipeline.folder / "qrels.tsv"))
    pipeline.sync()
    assert shown(pipeline) == ("", ""), "there is nothing to compare it with"
    asked = pipeline.run("evaluate", str(pipeline.config), *named, "--mode", "text", "--keep", "--json").json
    part, picture = shown(pipeline)
    assert part.startswith("### The last evaluations\n")
    assert f"ndcg@10 of the last evaluations, now {asked['metrics']['ndcg@10']:.3f}<" in picture
    pipeline.sync()
    part, picture = shown(pipeline)
    assert part.startswith("### The last 2 runs\n")
    for words in (
        "chunks embedded, at most 4<",
        "time since the run before, at most ",
        "ndcg@10 of the last evaluations",
    ):
        assert words in picture
    assert picture.count("<rect ") == 1 + 2 + 2 + 1
