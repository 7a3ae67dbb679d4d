"""`headrace search`."""

from argparse import Action, ArgumentParser, Namespace
from pathlib import Path
from shutil import get_terminal_size

from flows.arguments import MODES, add_asker, add_config, add_rerank, asker_of, count, duration, positive, similarity
from tasks.console.answer import Answer

SUMMARY = "find the chunks nearest to a query"
FILTER = (
    "only records whose metadata fits; repeatable, all must fit: KEY=A, KEY=A,B (one of them), KEY!=A (also records"
    " without KEY), KEY>=1, KEY>1, KEY<=1, KEY<1 (numbers, or dates: KEY>=2024-01-31, KEY<2024-01-31T10:00Z);"
    " a value in double quotes is a text as it stands: 'KEY=\"A,B\"'; a KEY that no record has finds nothing"
)


class _Image(Action):
    """Stands for the words of a query."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: object, option: str | None = None) -> None:
        """Then no words are missing."""
        namespace.image, namespace.query = values, namespace.query or ""


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what to look for, and where."""
    add_config(parser)
    parser.add_argument("query", metavar="QUERY", help="what to look for; several words in quotes, or --image FILE")
    parser.add_argument(
        "--image", action=_Image, metavar="FILE", help="instead of QUERY: look for what is like this picture"
    )
    parser.add_argument("--limit", type=positive, default=5, metavar="N", help="how many results (default: 5)")
    parser.add_argument("--offset", type=count, default=0, metavar="N", help="leave out the first N results")
    parser.add_argument("--min-score", type=similarity, metavar="X", help="only results of this score or a better one")
    parser.add_argument("--per-document", type=positive, metavar="N", help="at most N results of one document")
    parser.add_argument("--context", type=count, default=0, metavar="N", help="also the N chunks before and after each")
    parser.add_argument("--mode", choices=MODES, help="by vectors and words, or by one of them")
    add_asker(parser)
    parser.add_argument(
        "--max-age",
        type=duration,
        metavar="TIME",
        help="refuse to answer (exit code 5) where the last complete sync is longer ago: 10m, 1h, 2d",
    )
    add_rerank(parser)
    parser.add_argument("--filter", action="append", default=[], metavar="KEY=VALUE", help=FILTER)


def run(options: Namespace, /) -> Answer:
    """Answers with the nearest chunks, best first."""
    from config.read import read_pipeline
    from tasks.console.hits import hits_text, telling_words
    from tasks.errors import ConfigError
    from tasks.search.filters import read_filters
    from tasks.search.query import Wanted, read_image, search_collection
    from tasks.session import open_session
    from tasks.system.file_system import escaped

    if options.query and options.image:
        raise ConfigError(f"search looks for {options.query!r} or for --image {options.image}: leave out one of them")
    query, pipeline = escaped(options.query), read_pipeline(Path(options.config))
    wanted = Wanted(
        options.limit,
        options.offset,
        read_filters(options.filter, [source.name for source in pipeline.sources]),
        options.min_score,
        options.per_document,
        options.context,
        options.mode,
        asker_of(options),
        options.max_age,
        options.rerank,
    )
    with open_session(pipeline, read_only=True) as session:
        found = search_collection(session, read_image(Path(options.image)) if options.image else query, wanted)
    notes = [found.note] if found.note else []
    shape = {
        "query": query,
        "image": options.image and escaped(options.image),
        **{name: getattr(options, name) for name in ("limit", "offset", "min_score", "per_document")},
        "filter": [*map(escaped, options.filter)],
        "mode": found.mode,
        "complete_at": found.complete_at,
        "rerank": found.rerank or None,
        "notes": notes,
        "hits": [hit.as_json() for hit in found.hits],
    }
    text = hits_text(found.hits, query, get_terminal_size().columns, first=options.offset + 1)
    return Answer(shape, "\n  ! ".join([text, *notes]), emphasis=telling_words(query))
