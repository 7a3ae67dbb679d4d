"""`headrace evaluate`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows.arguments import add_config, positive
from tasks.console.answer import Answer

if TYPE_CHECKING:
    from config.pipeline import SearchMode

SUMMARY = "measure how well the index answers judged queries"
_MODES = ("hybrid", "dense", "text")


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks for the judgments, and for what is compared."""
    add_config(parser)
    parser.add_argument("--queries", required=True, metavar="FILE", help='JSONL with "_id" and "text", or id and text')
    parser.add_argument(
        "--qrels", required=True, metavar="FILE", help="query, document and grade: BEIR's TSV, or TREC's"
    )
    parser.add_argument("--spans", metavar="FILE", help="TSV of query, document, start and end of each answer")
    parser.add_argument("--mode", choices=_MODES, help="default: as the configuration says")
    parser.add_argument("--generation", type=positive, metavar="N", help="another generation than the live one")
    parser.add_argument("--model", metavar="MODEL", help="all documents with another model, beside the index")
    parser.add_argument("--against", choices=_MODES, metavar="MODE", help="compare with this mode")
    parser.add_argument("--against-live", action="store_true", help="compare with the live index as it is configured")


def run(options: Namespace, /) -> Answer:
    """Changes nothing: another model's index is made in a folder of its own, from the cache as far as that goes."""
    from config.options import SyncOptions
    from config.read import read_pipeline
    from flows.commands.sync import shown_sync
    from tasks.console.quality import evaluation_text
    from tasks.evaluate.beside import open_generation, open_model
    from tasks.evaluate.evaluation import Comparison, Evaluation, Evaluator
    from tasks.evaluate.judgments import read_judgments
    from tasks.session import Session, open_session

    pipeline, sync = read_pipeline(Path(options.config)), shown_sync(quiet=options.json)
    files = Path(options.queries), Path(options.qrels), Path(options.spans) if options.spans else None

    def measured(session: Session, *modes: "SearchMode | None") -> list[Evaluation]:
        evaluator = Evaluator(session, read_judgments(*files, session.ledger.documents()))
        return [evaluator.measure(mode) for mode in modes]

    def synced(session: Session) -> Sequence[str]:
        report = sync(session, SyncOptions())
        return report.notes if report.exit_code else ()

    if options.model:
        opened = open_model(pipeline, options.model, synced)
    elif options.generation:
        opened = open_generation(pipeline, options.generation)
    else:
        opened = open_session(pipeline, read_only=True)
    modes = [options.mode, options.against] if options.against else [options.mode]
    with opened as session:
        one, *others = measured(session, *modes)
    if options.against_live:
        with open_session(pipeline, read_only=True) as session:
            others = measured(session, options.mode)
    if not others:
        return Answer(one.as_json(), evaluation_text(one))
    comparison = Comparison(one, others[0])
    return Answer(comparison.as_json(), evaluation_text(one, comparison))
