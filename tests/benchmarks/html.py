"""Parsing HTML beside what the builder of trees alone needs for the same pages: processor time, in this process."""

import statistics
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from tasks.load.parse.eml import parse_eml
from tasks.load.parse.epub import parse_epub
from tasks.load.parse.html import html_to_markdown
from tests.benchmarks.chunking import processor_seconds
from tests.benchmarks.corpus import pages
from tests.benchmarks.harness import Measurement, spread
from tests.tasks.load.books import eml, epub

PAGES, LONGEST, ROUNDS = 60, 50_000, 7


def measure() -> Iterator[Measurement]:
    render = MarkdownIt("commonmark").enable("table").render
    made = [render(text) for text in pages() if len(text) < LONGEST][:PAGES]
    book, messages = epub(*made), [eml(page.encode(), "text/html; charset=utf-8") for page in made]
    megabytes = sum(map(len, made)) / 1e6

    def trees() -> None:
        for page in made:
            LexborHTMLParser(page)

    def bare_messages() -> None:
        trees()
        for message in messages:
            message_from_bytes(message, policy=default).get_payload(decode=True)

    yield from _paired("HTML", lambda: [html_to_markdown(page) for page in made], trees, megabytes)
    yield from _paired("EPUB", lambda: parse_epub("a.epub", book), trees, megabytes)
    yield from _paired("EML", lambda: [parse_eml("a.eml", one) for one in messages], bare_messages, megabytes)


def _paired(
    name: str, call: Callable[[], object], alone: Callable[[], object], megabytes: float
) -> Iterator[Measurement]:
    call()
    rates: list[float] = []
    ratios: list[float] = []
    for _ in range(ROUNDS):
        seconds_alone = processor_seconds(alone)
        seconds = processor_seconds(call)
        rates.append(megabytes / seconds)
        ratios.append(seconds / seconds_alone)
    yield Measurement(f"{name}, per core", statistics.median(rates), "MB/s", None, spread(rates, 1))
    detail = f"{spread(ratios, 1)}; the tree is built in C, and read in Python"
    yield Measurement(f"of the time of {name}'s libraries alone", statistics.median(ratios), "times", None, detail)
