"""Trains the model: each question with its answer, against the other answers of the batch and its negatives."""

import json
import shutil
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.embed.local.runtime.device import has_bfloat16
from tasks.embed.local.runtime.loading import load_model
from tasks.errors import ServiceError
from tasks.finetune.pairs import Example

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

CACHED_FROM = 128  # examples in a batch, from which on the loss takes them in parts
PART = 32
LOOKS, MOST_LOOKS = 3, 8  # at the validation's questions: in an epoch, and in all
PATIENCE = 4  # looks without a gain
COPIES = 9  # of the weights: three checkpoints with the optimiser's two, while the oldest waits to be removed
_METRIC = "validation_cosine_ndcg@10"
_STATE = "trainer_state.json"  # the last file of a checkpoint that is written


class Settings(NamedTuple):
    """What shapes the weights, beside the examples; `sizes` are lengths that a vector can be shortened to.

    `most_steps` ends it before the epochs do, `most_tokens` are read of each text meanwhile; 0: no such limit.
    """

    epochs: int = 2
    batch: int = 32
    learning_rate: float = 2e-5
    negatives: int = 1
    sizes: tuple[int, ...] = ()
    seed: int = 42
    most_steps: int = 0
    most_tokens: int = 0


class Base(NamedTuple):
    """The model that is trained, and what stands before its texts."""

    folder: Path
    device: str
    query_prefix: str
    document_prefix: str


class Validation(NamedTuple):
    """Questions, texts, and which texts answer a question, by keys."""

    queries: Mapping[str, str]
    texts: Mapping[str, str]
    answers: Mapping[str, set[str]]


class Course(NamedTuple):
    """How it went: steps that were done, validation nDCG@10 before them and at the best step, and which that was."""

    steps: int
    before: float
    best: float
    best_step: int


@dataclass(frozen=True)
class Training:
    """One training in a `folder` of its own; `tell` hears how it goes, a sentence each time."""

    base: Base
    examples: Sequence[Example]
    validation: Validation
    settings: Settings
    folder: Path
    tell: Callable[[str], None]

    def run(self) -> Course:
        """Leave the best weights in `model`; what an earlier run has left is gone on with.

        ServiceError where the disk is full.
        """
        model = load_model(self.base.folder, self.base.device, "float32")
        model.prompts.update(query=self.base.query_prefix, document=self.base.document_prefix)
        reads = model.max_seq_length
        model.max_seq_length = min(filter(None, (reads, self.settings.most_tokens)), default=None)
        with self._room(sum(weights.nbytes for weights in model.parameters())):
            trainer = self._trainer(model)
            before, checkpoints = self._before(trainer), self._checkpoints()
            if checkpoints:
                self.tell(f"going on after step {max(checkpoints)}")
            trainer.train(resume_from_checkpoint=bool(checkpoints))
            model.max_seq_length = reads
            model.eval().save_pretrained(str(self.folder / "model"), create_model_card=False)
            self._note_sizes()
        state = trainer.state
        return Course(state.global_step, before, float(state.best_metric or 0.0), state.best_global_step or 0)

    def _trainer(self, model: "SentenceTransformer") -> "SentenceTransformerTrainer":
        from datasets import Dataset, disable_progress_bars
        from sentence_transformers import SentenceTransformerTrainer
        from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
        from transformers import EarlyStoppingCallback, PrinterCallback

        names = ["query", "passage", *(f"negative_{number}" for number in range(self.settings.negatives))]
        rows = [(one.query, one.passage, *one.negatives) for one in self.examples]
        evaluator = InformationRetrievalEvaluator(
            dict(self.validation.queries),
            dict(self.validation.texts),
            dict(self.validation.answers),
            name="validation",
            write_csv=False,
            query_prompt=self.base.query_prefix,
            corpus_prompt=self.base.document_prefix,
        )

        class WithoutCard(SentenceTransformerTrainer):
            def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
                """The library's card would quote the corpus."""

        disable_progress_bars()
        trainer = WithoutCard(
            model=model,
            args=self._arguments(names),
            train_dataset=Dataset.from_dict(dict(zip(names, zip(*rows, strict=True), strict=True))),
            loss=self._loss(model),
            evaluator=evaluator,
            callbacks=[EarlyStoppingCallback(PATIENCE), _teller(self.tell)],
        )
        trainer.remove_callback(PrinterCallback)  # stdout is not the library's
        return trainer

    def _arguments(self, names: Sequence[str]) -> Any:
        from sentence_transformers import SentenceTransformerTrainingArguments

        settings, base = self.settings, self.base
        in_epoch = max(1, len(self.examples) // settings.batch)
        steps = min(in_epoch * settings.epochs, settings.most_steps or sys.maxsize)
        every = max(1, min(in_epoch, steps) // LOOKS, steps // MOST_LOOKS)
        return SentenceTransformerTrainingArguments(
            output_dir=str((self.folder / "checkpoints").absolute()),
            num_train_epochs=settings.epochs,
            max_steps=settings.most_steps or -1,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.learning_rate,
            warmup_steps=max(1, steps // 10),
            batch_sampler="no_duplicates",  # the same answer twice would be its own negative
            prompts=dict.fromkeys(names, base.document_prefix) | {"query": base.query_prefix},
            bf16=has_bfloat16(base.device),
            use_cpu=base.device == "cpu",
            seed=settings.seed,
            eval_strategy="steps",
            eval_steps=every,
            save_strategy="steps",
            save_steps=every,
            save_total_limit=2,
            load_best_model_at_end=True,
            metric_for_best_model=f"eval_{_METRIC}",
            greater_is_better=True,
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )

    def _loss(self, model: "SentenceTransformer") -> Any:
        from sentence_transformers.sentence_transformer import losses

        loss: Any = (
            losses.CachedMultipleNegativesRankingLoss(model, mini_batch_size=PART)
            if self.settings.batch >= CACHED_FROM
            else losses.MultipleNegativesRankingLoss(model)
        )
        if not self.settings.sizes:
            return loss
        own = model.get_embedding_dimension() or 0
        return losses.MatryoshkaLoss(model, loss, [own, *self.settings.sizes])

    def _before(self, trainer: "SentenceTransformerTrainer") -> float:
        """The validation's figure of the model as it was, kept for a run that goes on."""
        kept = self.folder / "before.json"
        if not kept.exists():
            kept.write_text(json.dumps(trainer.evaluate()[f"eval_{_METRIC}"]))
        return float(json.loads(kept.read_text()))

    def _checkpoints(self) -> list[int]:
        """The steps of those that are whole; what a kill has left half is removed."""
        steps: list[int] = []
        for checkpoint in (self.folder / "checkpoints").glob("checkpoint-*"):
            try:
                steps.append(int(json.loads((checkpoint / _STATE).read_text())["global_step"]))
            except (OSError, ValueError, KeyError):
                shutil.rmtree(checkpoint)
        return steps

    def _note_sizes(self) -> None:
        """Let the model say which lengths its vectors can be shortened to."""
        if self.settings.sizes:
            path = self.folder / "model" / "config_sentence_transformers.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "matryoshka_dims": self.settings.sizes}))

    @contextmanager
    def _room(self, weights: int) -> Generator[None]:
        """ServiceError before the training where its checkpoints have no room, and for a disk that fills meanwhile."""
        wanted, free = COPIES * weights, shutil.disk_usage(self.folder).free
        full = (
            f"{self.folder} has no room for the checkpoints of the training, expected {wanted >> 20:,} MB: {{}}; make"
            " room, then run again: it goes on from its last checkpoint"
        )
        if free < wanted and not self._checkpoints():
            raise ServiceError(full.format(f"{free >> 20:,} MB are free"))
        try:
            yield
        except Exception as error:  # safetensors and torch have errors of their own for it
            free = 0
            with suppress(OSError):
                free = shutil.disk_usage(self.folder).free
            if free > weights:
                raise
            raise ServiceError(full.format(f"{type(error).__name__}, with {free >> 20:,} MB left")) from error


def _teller(tell: Callable[[str], None]) -> Any:
    """Tells each look at the validation's questions."""
    from transformers import TrainerCallback

    class Teller(TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, **said: Any) -> None:
            score = said["metrics"][f"eval_{_METRIC}"]
            tell(f"step {state.global_step} of {state.max_steps or '?'}: validation nDCG@10 {score:.4f}")

    return Teller()
