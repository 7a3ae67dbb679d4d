"""What a model is trained on, chosen by, and tried on."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import NamedTuple

from tasks.embed.queries import embed_queries
from tasks.errors import ConfigError
from tasks.evaluate.golden import read_documents
from tasks.evaluate.judgments import Judgments, read_judgments
from tasks.finetune.negatives import with_negatives
from tasks.finetune.pairs import Example, judged_pairs, mined_pairs, read_pairs
from tasks.finetune.split import Split, split_examples
from tasks.finetune.train import Settings, Validation
from tasks.records import Query
from tasks.session import Session

LEAST_QUESTIONS, LEAST_TRAINING = 30, 16
VALIDATION = 0.1  # of the questions
NEAR = 10  # chunks near a question of the validation, among which its answers are looked for


@dataclass(frozen=True, slots=True)
class Request:
    """What a user wants to train with; `test` is the share of questions that is kept for the test.

    The test is of the first kind that is given: judgments, pairs, what is mined. `mix` are pairs of other corpora.
    """

    pairs: Path | None = None
    queries: Path | None = None
    qrels: Path | None = None
    spans: Path | None = None
    mined: bool = False
    mix: Sequence[Path] = ()
    name: str = ""
    test: float = 0.3
    settings: Settings = field(default_factory=Settings)


class Material(NamedTuple):
    """The parts, how many examples of each kind there were, and the test's judgments where documents are judged."""

    split: Split
    kinds: Mapping[str, int]
    judgments: Judgments | None

    @property
    def is_synthetic(self) -> bool:
        """Whether the test asks what the corpus asks of itself, and nobody."""
        return next(iter(self.kinds)) == "mined"

    def digest(self, settings: Settings, base: str) -> str:
        """Equal where the same weights come of it."""
        parts = [[astuple(one) for one in part] for part in (self.split.train, self.split.validation)]
        return hashlib.sha256(json.dumps([parts, settings, base]).encode()).hexdigest()[:16]


def gather(session: Session, request: Request) -> Material:
    """Reads the documents and the files; ConfigError where there is too little to learn from."""
    documents = [*read_documents(session.sources.values())]
    kinds: dict[str, list[Example]] = {}
    judgments: Judgments | None = None
    if request.queries and request.qrels:
        judgments = read_judgments(request.queries, request.qrels, request.spans, session.ledger.documents())
        kinds["judgments"] = judged_pairs(session, judgments.queries)
    if request.pairs:
        kinds["pairs"] = read_pairs(request.pairs)
    if request.mined or not kinds:
        kinds["mined"] = mined_pairs(session, documents)
    if request.mix:
        kinds["mix"] = [pair for path in request.mix for pair in read_pairs(path)]
    first, *others = kinds.values()
    texts = {str(document.ref.id): document.text for document in documents}
    _require(next(iter(kinds)), len({one.query for one in first}))
    extra = [one for other in others for one in other]
    split = split_examples(first, extra, texts, (VALIDATION, request.test), request.settings.seed)
    if len(split.train) < LEAST_TRAINING:
        raise ConfigError(
            f"{len(split.train)} pairs are left for training, expected {LEAST_TRAINING} or more: {split.dropped} were"
            " dropped because their question or document stands in the test too; give more pairs, or lower --test"
        )
    if judgments:
        asked = {one.query for one in split.test}
        queries = [query for query in judgments.queries if query.text in asked]
        judgments = Judgments(queries, judgments.unknown)
    return Material(split, {kind: len(own) for kind, own in kinds.items()}, judgments)


def _require(kind: str, questions: int) -> None:
    if questions < LEAST_QUESTIONS:
        where = {
            "mined": "the headings, docstrings and links of the corpus ask",
            "judgments": "the judged queries with a document in the index are",
        }.get(kind, "the file of pairs has")
        raise ConfigError(
            f"{where} {questions} questions, expected {LEAST_QUESTIONS} or more; give more pairs with --pairs, or"
            " judged queries with --queries and --qrels"
        )


def prepared(
    session: Session, material: Material, settings: Settings, folder: Path
) -> tuple[list[Example], Validation]:
    """The examples with their negatives, and the validation; kept in the folder for a run that goes on."""
    kept = folder / "examples.json"
    if kept.exists():
        rows, (queries, texts, answers) = json.loads(kept.read_text())
        examples = [Example(query, passage, document, tuple(negatives)) for query, passage, document, negatives in rows]
        return examples, Validation(queries, texts, {query: set(keys) for query, keys in answers.items()})
    examples = with_negatives(session, material.split.train, settings.negatives, material.split.kept_apart)
    validation = _validation(session, material.split.validation)
    answers = {query: sorted(keys) for query, keys in validation.answers.items()}
    shape = json.dumps([[astuple(one) for one in examples], [validation.queries, validation.texts, answers]])
    partial = kept.with_suffix(".partial")
    partial.write_text(shape)
    partial.replace(kept)
    return examples, validation


def _validation(session: Session, examples: Sequence[Example]) -> Validation:
    """The answers among chunks of other documents that are near the questions: easier ones would show nothing."""
    queries = dict.fromkeys(one.query for one in examples)
    own = {query: {one.document for one in examples if one.query == query} for query in queries}
    texts = dict.fromkeys(one.passage for one in examples)
    for query, vector in zip(queries, embed_queries(session.embedder, [*queries]), strict=True):
        hits = session.store.search(Query(vector, NEAR))
        others = [hit.payload for hit in hits if hit.payload["headrace"]["document"] not in own[query]]
        texts |= dict.fromkeys(str(payload["text"]) for payload in others)
    names, keys = ({text: str(number) for number, text in enumerate(each)} for each in (queries, texts))
    named, keyed = ({key: text for text, key in each.items()} for each in (names, keys))
    answers: dict[str, set[str]] = {}
    for one in examples:
        answers.setdefault(names[one.query], set()).add(keys[one.passage])
    return Validation(named, keyed, answers)


def counted(material: Material) -> dict[str, int]:
    """How many examples and questions each part has."""
    split = material.split
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    questions = {f"{name}_queries": len(Counter(one.query for one in part)) for name, part in parts.items()}
    return {**{name: len(part) for name, part in parts.items()}, **questions, "dropped": split.dropped}
