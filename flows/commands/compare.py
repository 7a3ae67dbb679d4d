"""`headrace compare`."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from flows.arguments import MODES, add_config, add_judgments, money, positive
from tasks.console.answer import Answer

SUMMARY = "say which model, chunk size and mode suit these documents"
_PRECISIONS = ("float32", "float16", "int8", "binary")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _sizes(text: str) -> list[int]:
    return [positive(part) for part in _listed(text)]


def _some_of(known: tuple[str, ...], text: str) -> list[str]:
    parts = _listed(text)
    if wrong := next((part for part in parts if part not in known), None):
        raise ArgumentTypeError(f"{wrong!r} is none of them; expected some of {', '.join(known)}, with commas between")
    return parts


def _modes(text: str) -> list[str]:
    return _some_of(MODES, text)


def _precisions(text: str) -> list[str]:
    return _some_of(_PRECISIONS, text)


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what is to be compared, and with which queries."""
    add_config(parser)
    parser.add_argument(
        "--models",
        required=True,
        type=_listed,
        metavar="A,B@256",
        help="models, each perhaps with `@` and a shorter length of its vectors; `headrace models` lists some",
    )
    parser.add_argument("--chunk-tokens", type=_sizes, default=[], metavar="N,M", help="with chunks of these sizes")
    parser.add_argument("--mode", type=_modes, default=[], metavar="A,B", help=f"asked in these: {', '.join(MODES)}")
    parser.add_argument(
        "--precision",
        type=_precisions,
        default=[],
        metavar="A,B",
        help="vectors kept as float32, float16, or searched by int8 or binary ones, as Qdrant's server can",
    )
    add_judgments(parser)
    parser.add_argument("--max-usd", type=money, metavar="USD", help="stop before all of it together costs more")


def run(options: Namespace, /) -> Answer:
    """Changes nothing: each index is made in a folder of its own, from the cache as far as that goes."""
    from config.read import read_pipeline
    from flows.beside import whole_sync
    from flows.judging import Judge
    from tasks.console.charts import comparison_chart
    from tasks.console.quality import candidates_text
    from tasks.errors import ConfigError
    from tasks.evaluate.beside import Making
    from tasks.evaluate.compare import Columns, candidates, suggestion

    if not options.models:
        raise ConfigError("--models is empty; expected names of models, with commas between")
    pipeline = read_pipeline(Path(options.config))
    judge = Judge(pipeline, options)
    columns = Columns(options.models, options.chunk_tokens, options.mode, options.precision)
    making = Making(whole_sync(quiet=options.json), judge.left(options.max_usd), judge.sources)
    rows = list(candidates(pipeline, columns, judge, making))
    chosen, why = suggestion(rows)
    if options.chart:
        comparison_chart(options.chart, rows, why)
    shape = [{**row.as_json(), "suggested": row is chosen, "why": why if row is chosen else ""} for row in rows]
    return Answer(shape, candidates_text(rows, why))
