"""`headrace finetune`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config, count, number, positive
from tasks.console.answer import Answer

SUMMARY = "train a local model on this corpus, and say whether it is better"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what to learn from, and how."""
    add_config(parser)
    parser.add_argument("--queries", metavar="FILE", help='judged queries: JSONL with "_id" and "text", or id and text')
    parser.add_argument("--qrels", metavar="FILE", help="query, document and grade: BEIR's TSV, or TREC's")
    parser.add_argument("--spans", metavar="FILE", help="TSV of query, document, start and end of each answer")
    parser.add_argument("--pairs", metavar="FILE", help='JSONL with "query" and "passage", perhaps "negatives"')
    parser.add_argument(
        "--mined", action="store_true", help="also titles, docstrings and links; alone, where no other pairs are given"
    )
    parser.add_argument(
        "--mix", action="append", default=[], metavar="FILE", help="pairs of other corpora, for training alone"
    )
    parser.add_argument("--name", metavar="NAME", help="of the model's folder in .headrace/models")
    parser.add_argument(
        "--test", type=_share, default=0.3, metavar="SHARE", help="of the questions for the test; default: 0.3"
    )
    parser.add_argument(
        "--epochs", type=positive, default=2, metavar="N", help="rounds over all pairs, at most; default: 2"
    )
    parser.add_argument("--most-steps", type=count, default=0, metavar="N", help="end after so many steps")
    parser.add_argument(
        "--most-tokens", type=count, default=0, metavar="N", help="read so much of a text while training: quicker"
    )
    parser.add_argument("--batch", type=positive, default=32, metavar="N", help="pairs in a step; default: 32")
    parser.add_argument("--learning-rate", type=_rate, default=2e-5, metavar="RATE", help="default: 2e-5")
    parser.add_argument("--negatives", type=count, default=1, metavar="N", help="wrong answers to each; default: 1")
    parser.add_argument("--matryoshka", type=_sizes, default=(), metavar="N,N", help="lengths to shorten vectors to")
    parser.add_argument(
        "--seed", type=count, default=42, metavar="N", help="the same one, the same weights; default: 42"
    )


def run(options: Namespace, /) -> Answer:
    """Changes neither the index nor the configuration; what was broken off is gone on with."""
    from pydantic import TypeAdapter, ValidationError

    from config.fields import Name
    from config.read import read_pipeline
    from flows.beside import whole_sync
    from flows.commands.sync import say
    from tasks.console.finetune import improvement_text
    from tasks.errors import ConfigError
    from tasks.finetune.improve import improve
    from tasks.finetune.material import Request
    from tasks.finetune.train import Settings

    if bool(options.queries) != bool(options.qrels) or (options.spans and not options.qrels):
        raise ConfigError("--queries and --qrels belong together, and --spans to both: give both, or none")
    try:
        TypeAdapter(Name).validate_python(options.name or "a")
    except ValidationError as error:
        raise ConfigError(
            f"--name {options.name!r} is no name; expected letters, digits, dots, hyphens and underscores"
        ) from error
    sync = whole_sync(quiet=options.json)
    settings = Settings(
        options.epochs,
        options.batch,
        options.learning_rate,
        options.negatives,
        options.matryoshka,
        options.seed,
        options.most_steps,
        options.most_tokens,
    )
    queries, qrels, spans, pairs = (
        Path(file) if file else None for file in (options.queries, options.qrels, options.spans, options.pairs)
    )
    mix = [Path(file) for file in options.mix]
    request = Request(pairs, queries, qrels, spans, options.mined, mix, options.name or "", options.test, settings)
    made = improve(read_pipeline(Path(options.config)), request, sync, _silent if options.json else say)
    return Answer(made.as_json(), improvement_text(made, options.config))


def _silent(_line: str) -> None:
    pass


def _share(text: str) -> float:
    return _number(text, 0.05, 0.8, "share of the questions")


def _rate(text: str) -> float:
    return _number(text, 1e-8, 1e-1, "learning rate")


def _number(text: str, least: float, most: float, what: str) -> float:
    return number(text, least, most, f"is no {what}; expected a number from {least} to {most}")


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(positive(size.strip()) for size in text.split(","))
