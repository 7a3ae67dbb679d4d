"""`headrace schema`."""

import json
from argparse import ArgumentParser, Namespace

from tasks.console.answer import Answer

SUMMARY = "print the JSON Schema of the configuration, for editors"


def add_arguments(_parser: ArgumentParser, /) -> None:
    """Asks for nothing: it is the same for every pipeline."""


def run(_options: Namespace, /) -> Answer:
    """Answers with the schema, with or without --json."""
    from config.read import json_schema

    shape = json_schema()
    return Answer(shape, json.dumps(shape, indent=2))
