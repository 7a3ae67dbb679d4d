"""`headrace init`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tasks.console.answer import Answer

SUMMARY = "write a commented configuration for a folder"


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks for the folder."""
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", default=".", help="the folder to index (default: this one)"
    )


def run(options: Namespace, /) -> Answer:
    """Writes `headrace.yaml` into the folder."""
    from config.template import write_config

    path = write_config(Path(options.folder), Path(options.folder) / "headrace.yaml")
    return Answer({"path": str(path)}, f"wrote {path}\nnext: headrace plan {path}")
