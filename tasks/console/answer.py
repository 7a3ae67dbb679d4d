"""What a command gives back."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """`shape` for --json, `text` for a person, and the process's exit status."""

    shape: Any
    text: str
    exit_code: int = 0
