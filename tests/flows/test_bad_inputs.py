"""A folder of everything that can be wrong with a file: nothing lost, nothing hidden, nothing paid twice."""

import os
import time
from collections import Counter
from pathlib import Path

from tests.conftest import Pipeline
from tests.tasks.load.bad_inputs import INPUTS, MAX_BYTES, pdf


def put(pipeline: Pipeline, name: str, content: bytes) -> Path:
    path = pipeline.folder / "docs" / name
    path.write_bytes(content)
    then = time.time() - 60  # old enough that its time stamp promises something
    os.utime(path, (then, then))
    return path


def test_every_bad_file_is_told_and_every_good_one_is_served(pipeline: Pipeline) -> None:
    text = pipeline.config.read_text()
    pipeline.config.write_text(text.replace("path: ./docs", f"path: ./docs\n    max_bytes: {MAX_BYTES}"))
    put(pipeline, "cut.pdf", pdf("The version that was good."))
    pipeline.sync()
    for bad in INPUTS:
        put(pipeline, bad.name, bad.make())
    report = pipeline.sync()
    count = report["documents"]
    names = ("added", "changed", "unchanged", "empty", "quarantined", "held")
    assert count["listed"] == sum(count[name] for name in names) == len(INPUTS) + 3
    assert count["empty"] == sum(bad.is_empty for bad in INPUTS)
    assert report["aside"] == Counter(bad.reason for bad in INPUTS if bad.reason)
    assert (report["code"], report["outcome"], count["served_old"]) == (1, "partial", 1)
    served = pipeline.texts()
    assert "The version that was good." in served["cut.pdf"][0]
    assert {bad.name for bad in INPUTS if bad.text} <= set(served)
    told = pipeline.run("status", str(pipeline.config))
    assert all(bad.name in told.out for bad in INPUTS if bad.reason)

    again = pipeline.sync()
    assert (again["chunks"]["written"], again["chunks"]["embedded"]) == (0, 0)
    assert again["aside"] == report["aside"]

    put(pipeline, "junk.txt", b"Repaired words.")
    repaired = pipeline.sync()
    assert repaired["aside"]["binary"] == report["aside"]["binary"] - 1
    assert pipeline.texts()["junk.txt"] == ["Repaired words."]
