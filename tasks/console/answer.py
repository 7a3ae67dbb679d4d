"""What a command gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """`shape` for --json, `text` for a person, and the process's exit status.

    `emphasis` are words of the text that stand out on a terminal.
    """

    shape: Any
    text: str
    exit_code: int = 0
    emphasis: Sequence[str] = ()
