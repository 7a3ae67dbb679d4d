"""`headrace evaluate`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.arguments import MODES, add_config, add_judgments, add_rerank, money, positive
from tasks.console.answer import Answer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from config.pipeline import Pipeline, SearchMode
    from flows.judging import Judge
    from tasks.session import Session

SUMMARY = "measure how well the index answers queries with known answers"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks for the judgments, and for what is compared."""
    add_config(parser)
    add_judgments(parser)
    parser.add_argument("--mode", choices=MODES, help="default: as the configuration says")
    parser.add_argument("--generation", type=positive, metavar="N", help="another generation than the live one")
    parser.add_argument("--model", metavar="MODEL", help="all documents with another model, beside the index")
    parser.add_argument("--chunk-tokens", type=positive, metavar="N", help="with chunks of this size, beside the index")
    parser.add_argument("--max-usd", type=money, metavar="USD", help="stop before an index beside it costs more")
    parser.add_argument(
        "--exact", action="store_true", help="also how much of the nearest the store's approximate search finds"
    )
    parser.add_argument(
        "--keep", action="store_true", help="remember the result for `headrace status`, and say whether it dropped"
    )
    parser.add_argument("--against", choices=MODES, metavar="MODE", help="compare with this mode")
    add_rerank(parser)
    parser.add_argument("--against-plain", action="store_true", help="compare with the same without `search.rerank`")
    parser.add_argument("--against-live", action="store_true", help="compare with the live index as it is configured")


def run(options: Namespace, /) -> Answer:
    """Changes nothing: another model's index is made in a folder of its own, from the cache as far as that goes."""
    from config.read import read_pipeline
    from flows.judging import Judge
    from tasks.console.charts import evaluation_chart
    from tasks.console.quality import evaluation_text
    from tasks.evaluate.evaluation import Comparison, Evaluator
    from tasks.evaluate.exact import against_exact, exact_json, exact_text
    from tasks.evaluate.history import keep
    from tasks.session import open_session

    pipeline = read_pipeline(Path(options.config))
    _check(options)
    judge = Judge(pipeline, options)
    ways: list[tuple[SearchMode | None, bool | None]] = [(options.mode, options.rerank)]
    ways += [(options.against, options.rerank)] if options.against else []
    ways += [(options.mode, False)] if options.against_plain else []
    with _opened(pipeline, options, judge) as session:
        judgments = judge(session)
        evaluator = Evaluator(session, judgments)
        one, *others = [evaluator.measure(mode, rerank=rerank) for mode, rerank in ways]
        exact = against_exact(session, [query.text for query in judgments.queries]) if options.exact else {}
    if options.against_live:
        with open_session(pipeline, read_only=True) as session:
            others = [Evaluator(session, judge(session)).measure(options.mode, rerank=options.rerank)]
    comparison = Comparison(one, others[0]) if others else None
    if options.chart:
        evaluation_chart(options.chart, one, comparison)
    shape, text = (comparison or one).as_json(), evaluation_text(one, comparison)
    if exact:
        shape, text = {**shape, "exact": exact_json(exact)}, f"{text}\n{exact_text(exact)}"
    if options.keep:
        kept = keep(pipeline, one)
        shape, text = {**shape, "kept": kept.as_json()}, f"{text}\n  kept: {kept.sentence()}"
    return Answer(shape, text)


def _check(options: Namespace) -> None:
    """ConfigError for options that do not go together."""
    from tasks.errors import ConfigError

    beside = options.model or options.chunk_tokens or options.bootstrap or options.generation
    if options.keep and beside:
        raise ConfigError("--keep remembers how the live index answers to the same queries, so it goes with no others")
    if options.bootstrap and options.writer is None and (options.generation or options.against_live):
        raise ConfigError(
            "--bootstrap asks a copy of the index, without what became queries, so it does not go with --generation and"
            " --against-live"
        )


def _opened(pipeline: "Pipeline", options: Namespace, judge: "Judge") -> "AbstractContextManager[Session]":
    """The index that is asked."""
    from flows.beside import whole_sync
    from tasks.evaluate.beside import Making, Variant, open_beside, open_generation
    from tasks.session import open_session

    if options.model or options.chunk_tokens or (options.bootstrap and options.writer is None):
        variant = Variant(options.model, chunk_tokens=options.chunk_tokens)
        making = Making(whole_sync(quiet=options.json), judge.left(options.max_usd), judge.sources)
        return open_beside(pipeline, variant, making)
    if options.generation:
        return open_generation(pipeline, options.generation)
    return open_session(pipeline, read_only=True)
