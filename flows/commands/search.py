"""`headrace search`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from shutil import get_terminal_size

from flows.arguments import add_config, positive
from tasks.console.answer import Answer

SUMMARY = "find the chunks nearest to a query"
FILTER = (
    "only records whose metadata fits; repeatable, all must fit: KEY=A, KEY=A,B (one of them), KEY!=A (also records"
    " without KEY), KEY>=1, KEY>1, KEY<=1, KEY<1 (numbers); a value in double quotes is a text as it stands:"
    " 'KEY=\"A,B\"'; a KEY that no record has finds nothing"
)


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what to look for, and where."""
    add_config(parser)
    parser.add_argument("query", metavar="QUERY", help="what to look for; several words in quotes")
    parser.add_argument("--limit", type=positive, default=5, metavar="N", help="how many results (default: 5)")
    parser.add_argument("--filter", action="append", default=[], metavar="KEY=VALUE", help=FILTER)


def run(options: Namespace, /) -> Answer:
    """Answers with the nearest chunks, best first."""
    from config.read import read_pipeline
    from tasks.console.hits import hits_text, telling_words
    from tasks.search.filters import read_filters
    from tasks.search.query import search_collection
    from tasks.session import open_session
    from tasks.system.file_system import escaped

    query, pipeline = escaped(options.query), read_pipeline(Path(options.config))
    conditions = read_filters(options.filter, [source.name for source in pipeline.sources])
    with open_session(pipeline, read_only=True) as session:
        hits = search_collection(session, query, options.limit, conditions)
    text = hits_text(hits, query, get_terminal_size().columns)
    return Answer({"query": query, "hits": [hit.as_json() for hit in hits]}, text, emphasis=telling_words(query))
