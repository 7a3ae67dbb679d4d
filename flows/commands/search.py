"""`headrace search`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from flows.arguments import add_config, positive
from tasks.console.answer import Answer

SUMMARY = "find the chunks nearest to a query"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks what to look for, and where."""
    add_config(parser)
    parser.add_argument("query", metavar="QUERY", help="what to look for; several words in quotes")
    parser.add_argument("--limit", type=positive, default=5, metavar="N", help="how many results (default: 5)")
    parser.add_argument(
        "--filter", action="append", default=[], metavar="KEY=VALUE", help="only records with this metadata; repeatable"
    )


def run(options: Namespace, /) -> Answer:
    """Answers with the nearest chunks, best first."""
    from config.read import read_pipeline
    from tasks.console.text import hits_text
    from tasks.search.query import parse_filters, search_collection
    from tasks.session import open_session
    from tasks.system.file_system import readable

    query, filters = readable(options.query), parse_filters(options.filter)
    with open_session(read_pipeline(Path(options.config)), read_only=True) as session:
        hits = [hit.as_json() for hit in search_collection(session, query, options.limit, filters)]
    return Answer({"query": query, "hits": hits}, hits_text(hits))
