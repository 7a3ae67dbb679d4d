"""Which commands there are: a new one is its file and its line here."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Protocol

from flows.commands import (
    compare,
    deploy,
    evaluate,
    finetune,
    generations,
    init,
    models,
    plan,
    rebuild,
    rollback,
    schema,
    search,
    status,
    sync,
    verify,
    watch,
    where,
)
from tasks.console.answer import Answer


class Command(Protocol):
    """What each of these files has. All of them are imported for `--help`, so heavy parts are imported in `run`."""

    @property
    def SUMMARY(self) -> str:  # noqa: N802 - a constant of the file
        """What it does, for `headrace help`."""
        ...

    def add_arguments(self, parser: ArgumentParser, /) -> None:
        """Asks for what it needs beside --json and --debug, which every command has."""
        ...

    def run(self, options: Namespace, /) -> Answer:
        """Does it; `options` holds what `add_arguments` asked for."""
        ...


COMMANDS: Mapping[str, Command] = {  # in the order in which a newcomer needs them
    "init": init,
    "plan": plan,
    "sync": sync,
    "watch": watch,
    "search": search,
    "status": status,
    "evaluate": evaluate,
    "compare": compare,
    "finetune": finetune,
    "verify": verify,
    "rebuild": rebuild,
    "rollback": rollback,
    "generations": generations,
    "where": where,
    "deploy": deploy,
    "models": models,
    "schema": schema,
}
