"""Parsing HTML beside what the builder of trees alone needs for the same pages: processor time, in this process."""

import statistics
from collections.abc import Callable, Iterator

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from tasks.load.parse.eml import parse_eml
from tasks.load.parse.epub import parse_epub
from tasks.load.parse.html import html_to_markdown
from tests.benchmarks.chunking import processor_seconds
from tests.benchmarks.corpus import pages
from tests.benchmarks.harness import Measurement, spread
from tests.tasks.load.books import eml, epub

PAGES, ROUNDS = 60, 7


def measure() -> Iterator[Measurement]:
    render = MarkdownIt("commonmark").enable("table").render
    made = [render(text) for text in pages()[:PAGES]]
    rows = (
        ("HTML", lambda: [html_to_markdown(page) for page in made]),
        ("EPUB", lambda: [parse_epub("a.epub", content) for content in [epub(*made)]]),
        ("EML", lambda: [parse_eml("a.eml", eml(page.encode(), "text/html; charset=utf-8")) for page in made]),
    )
    megabytes = sum(map(len, made)) / 1e6
    for name, call in rows:
        yield from _paired(name, call, made, megabytes)


def _paired(name: str, call: Callable[[], object], made: list[str], megabytes: float) -> Iterator[Measurement]:
    call()
    rates: list[float] = []
    ratios: list[float] = []
    for _ in range(ROUNDS):
        alone = processor_seconds(lambda: [LexborHTMLParser(page) for page in made])
        seconds = processor_seconds(call)
        rates.append(megabytes / seconds)
        ratios.append(seconds / alone)
    yield Measurement(f"{name}, per core", statistics.median(rates), "MB/s", None, spread(rates, 1))
    detail = f"{spread(ratios, 1)}; the tree is built in C, and read in Python"
    yield Measurement("of the time of lexbor's tree alone", statistics.median(ratios), "times", None, detail)
