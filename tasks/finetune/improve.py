"""A better model for one corpus: gathered, trained, tried, and left where a configuration can name it."""

import json
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from config import embedders
from config.pipeline import Pipeline
from tasks.embed.local.shape import read_shape
from tasks.embed.local.weights import find_folder, weights_hash
from tasks.embed.models import local_model
from tasks.errors import ConfigError, LockedError, ServiceError
from tasks.evaluate.beside import Sync
from tasks.evaluate.evaluation import Comparison
from tasks.finetune.card import card
from tasks.finetune.material import Material, Request, counted, gather, prepared
from tasks.finetune.open import open_base, open_section
from tasks.finetune.train import Course, Settings, Training
from tasks.finetune.trial import compare
from tasks.session import check_space, open_session
from tasks.system.process_lock import ProcessLock

MODELS = ".headrace/models"  # beside the configuration's file
_NOTE = "headrace.json"  # in the model's folder: what it was made of


class Improvement(NamedTuple):
    """The new model's folder, how it was trained, and the test: by the configured mode first, then by vectors alone."""

    pipeline: str
    folder: Path
    base: str
    material: Material
    settings: Settings
    course: Course
    comparisons: Sequence[Comparison]

    def as_json(self) -> dict[str, Any]:
        """The shape that `finetune --json` promises."""
        trials = {comparison.one.mode: _trial(comparison) for comparison in self.comparisons}
        return {
            "pipeline": self.pipeline,
            "model": str(self.folder),
            "base": self.base,
            **next(iter(trials.values())),
            "modes": trials,
            "synthetic": self.material.is_synthetic,
            "pairs": {**self.material.kinds, **counted(self.material)},
            "training": self.course._asdict(),
            "settings": self.settings._asdict(),
        }


def improve(pipeline: Pipeline, request: Request, sync: Sync, tell: Callable[[str], None]) -> Improvement:
    """Train, or go on with a training that was broken off, then test; the index and the configuration stay as they are.

    ConfigError for a model that cannot be trained here, and for too little to learn from.
    """
    made = fit(pipeline, request, tell)
    tell(f"trained; now the test, with {len({one.query for one in made.material.split.test}):,} questions")
    made = made._replace(comparisons=compare(pipeline, made.material, str(made.folder), sync))
    known = local_model(made.base)
    (made.folder / "README.md").write_text(card(made.as_json(), known.licence if known else ""), encoding="utf-8")
    return made


def fit(pipeline: Pipeline, request: Request, tell: Callable[[str], None]) -> Improvement:
    """The same without the test: whoever chooses among several trainings does it by their validation."""
    section = open_section(pipeline.embedder)
    with ExitStack() as stack:
        with open_session(pipeline, read_only=True) as session:
            sentinel = session.store.sentinel()
            if sentinel is None:
                raise ConfigError(f"{pipeline.name!r} has no collection yet; run `headrace sync` first")
            check_space(session, sentinel)
            base, settings = open_base(session, section), _settings(section, request.settings)
            material = gather(session, request)
            digest = material.digest(settings, f"{weights_hash(read_shape(base.folder).folders)} {base[2:]}")
            folder = _place(pipeline, request.name or f"{pipeline.name}-{digest[:8]}")
            course, training = _finished(folder, digest), None
            if course is None:
                work = stack.enter_context(_workplace(folder.with_name(f"{folder.name}-{digest}.training")))
                tell(f"{len(material.split.train):,} pairs for training, by {section.model} on {base.device}")
                training = Training(base, *prepared(session, material, settings, work), settings, work, tell)
        if training:
            course, work = training.run(), training.folder
            (work / "model" / _NOTE).write_text(json.dumps({"digest": digest, "course": course}))
            (work / "model").replace(folder)
            shutil.rmtree(work)
    assert course  # found, or made
    return Improvement(pipeline.name, folder, section.model, material, settings, course, ())


@contextmanager
def _workplace(folder: Path) -> Generator[Path]:
    """It holds texts of the corpus, so it is its owner's alone; LockedError where another training works there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceError(
            f"{folder} cannot be made: {error.strerror}; expected a folder beside the configuration that can be written"
        ) from error
    lock = ProcessLock(folder / "lock")
    if holder := lock.acquire(0.0):
        raise LockedError(f"{folder} is in use by {holder}; wait for that training, or give this one another --name")
    try:
        yield folder
    finally:
        lock.release()


def _trial(comparison: Comparison) -> dict[str, Any]:
    after, before = comparison.one.metrics, comparison.other.metrics
    return {
        "mode": comparison.one.mode,
        "queries": comparison.one.queries,
        "before": {name: value.mean for name, value in before.items()},
        "after": {name: value.mean for name, value in after.items()},
        "difference": {name: value.mean for name, value in comparison.differences.items()},
        "confidence": {name: [value.low, value.high] for name, value in comparison.differences.items()},
        "sentence": comparison.sentence(),
    }


def _settings(section: embedders.SentenceTransformersEmbedder, wanted: Settings) -> Settings:
    """Vectors that are shortened now have to be so afterwards."""
    own = read_shape(find_folder(section.model, section.revision)).dimension
    sizes = wanted.sizes or ((section.dimensions,) if section.dimensions and section.dimensions < own else ())
    wrong = next((size for size in sizes if not 0 < size < own), None)
    if wrong is not None:
        raise ConfigError(f"--matryoshka {wrong}: {section.model!r} makes {own} numbers; expected fewer than these")
    return wanted._replace(sizes=tuple(sorted({*sizes}, reverse=True)))


def _place(pipeline: Pipeline, name: str) -> Path:
    beside = Path(pipeline.file).parent if pipeline.file else Path.cwd()
    return beside / MODELS / name


def _finished(folder: Path, digest: str) -> Course | None:
    """How a model that is there was trained; ConfigError where it was made of something else."""
    if not folder.exists():
        return None
    try:
        note = json.loads((folder / _NOTE).read_text())
        if note["digest"] == digest:
            return Course(*note["course"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ConfigError(
        f"{folder} is there already, and was made of other pairs or settings; give another --name, or remove it"
    )
