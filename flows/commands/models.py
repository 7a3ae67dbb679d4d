"""`headrace models`."""

from argparse import ArgumentParser, Namespace

from tasks.console.answer import Answer

SUMMARY = "list embedding models, and whether they run here"


def add_arguments(_parser: ArgumentParser, /) -> None:
    """Asks for nothing: it is the same for every pipeline."""


def run(_options: Namespace, /) -> Answer:
    """Answers from the registry, and from what is installed."""
    from dataclasses import asdict

    from tasks.console.models import models_text
    from tasks.embed.catalogue import catalogue

    rows = list(catalogue())
    return Answer([asdict(row) for row in rows], models_text(rows))
