"""The test: the model as it was and the new one, on questions and documents that the training has not seen."""

import random
import tempfile
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from config import sources
from config.pipeline import Pipeline, SearchMode
from tasks.evaluate.beside import Making, Sync, Variant, open_beside
from tasks.evaluate.evaluation import Comparison, Evaluation, Evaluator
from tasks.evaluate.judgments import Judged, Judgments
from tasks.finetune.material import Material
from tasks.records import DocumentId
from tasks.session import Session, open_session

MOST_PASSAGES = 3_000  # among which the answers are looked for, where no documents are judged
_SOURCE = "passages"
_MADE = "synthetic queries, made from the documents: titles, docstrings and links"


def compare(pipeline: Pipeline, material: Material, model: str, sync: Sync) -> list[Comparison]:
    """The configured mode, and vectors alone; the live index is read and not changed.

    Judged queries are asked of the whole corpus. Others are asked of the passages of all parts, each a document: in the
    index a mined question stands above its answer, and would find it by itself.
    """
    modes: list[SearchMode] = [mode for mode in dict.fromkeys((pipeline.search.mode, "dense")) if mode != "text"]
    if material.judgments:
        return _compared(open_session(pipeline, read_only=True), pipeline, material.judgments, modes, (model, sync))
    with _passages(material) as (folder, judgments):
        source = sources.FilesSource.model_validate({"kind": "files", "path": str(folder), "name": _SOURCE})
        apart = pipeline.model_copy(update={"sources": (source,), "quality": None})
        return _compared(open_beside(apart, Variant(), Making(sync)), apart, judgments, modes, (model, sync))


def _compared(
    before: AbstractContextManager[Session],
    pipeline: Pipeline,
    judgments: Judgments,
    modes: Sequence[SearchMode],
    new: tuple[str, Sync],
) -> list[Comparison]:
    measured = [_measured(opened, judgments, modes) for opened in (before, _beside(pipeline, *new))]
    return [Comparison(after, before) for before, after in zip(*measured, strict=True)]


def _beside(pipeline: Pipeline, model: str, sync: Sync) -> AbstractContextManager[Session]:
    return open_beside(pipeline, Variant(model), Making(sync))


def _measured(
    opened: AbstractContextManager[Session], judgments: Judgments, modes: Sequence[SearchMode]
) -> list[Evaluation]:
    with opened as session:
        evaluator = Evaluator(session, judgments)
        return [evaluator.measure(mode) for mode in modes]


@contextmanager
def _passages(material: Material) -> Generator[tuple[Path, Judgments]]:
    """Those of the test and a sample of the others, a file each, and the questions of the test with their answers."""
    split = material.split
    own = dict.fromkeys(one.passage for one in split.test)
    others = [one.passage for one in (*split.validation, *split.train) if one.passage not in own]
    room = max(0, MOST_PASSAGES - len(own))
    sample = random.Random(0).sample(others, min(room, len(others)))  # noqa: S311 - nothing to keep secret
    names = {text: f"{number}.txt" for number, text in enumerate(dict.fromkeys([*own, *sample]))}
    grades: dict[str, dict[DocumentId, int]] = {}
    for one in split.test:
        grades.setdefault(one.query, {})[DocumentId(f"{_SOURCE}:{names[one.passage]}")] = 1
    with tempfile.TemporaryDirectory(prefix="headrace-finetune-") as folder:
        for text, name in names.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        judged = [Judged(str(number), query, own) for number, (query, own) in enumerate(grades.items())]
        yield Path(folder), Judgments(judged, (), _MADE if material.is_synthetic else "")
