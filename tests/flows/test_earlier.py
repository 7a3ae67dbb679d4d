"""Collections, ledgers, caches and budgets of an earlier version go on as they are, and nothing is paid again."""

from pathlib import Path

import pytest

from tests.conftest import Pipeline
from tests.earlier import EMBEDDERS, configured, unpacked
from tests.openai_server import OpenAIServer


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_an_earlier_collection_goes_on_without_paying(
    embedder: str, pipeline: Pipeline, openai_server: OpenAIServer
) -> None:
    (pipeline.folder / "docs" / "sub" / "c.txt").unlink()
    unpacked(embedder, pipeline.folder)
    config: Path = configured(pipeline.folder, embedder, openai_server.url)
    report = pipeline.sync()
    assert (report["code"], report["outcome"]) == (0, "done")  # records of an older key are written once more
    assert (report["chunks"]["embedded"], report["tokens"]["embedded"], report["cost_usd"]) == (0, 0, 0)
    assert openai_server.requests == []
    assert pipeline.run("verify", str(config)).code == 0
    hits = pipeline.run("search", str(config), "Second page.", "--json")
    assert (hits.code, "Second page." in hits.out) == (0, True)
    pipeline.write("copy.md", "# Beta\n\nSecond page.\n")
    again = pipeline.sync()
    assert (again["code"], again["tokens"]["embedded"], again["chunks"]["reused"]) == (0, 0, 1)
