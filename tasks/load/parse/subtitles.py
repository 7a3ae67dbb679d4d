"""Subtitles: the words in order, each at its time, without numbers, times and marks."""

import html
import re
from itertools import pairwise

from tasks.load.parse.text import Parsed
from tasks.places import Place

PAUSE_SECONDS = 3.0  # after which a new paragraph begins
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_CUE = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}[^\n]*$", re.MULTILINE)
_BLOCK_END = re.compile(r"\n[ \t]*(?:\n|\Z)")
_NUMBER = re.compile(r"\n[ \t]*\d+[ \t]*\n\s*\Z")
LONGEST_NUMBER = 50
_VOICE = re.compile(r"<v(?:\.[\w.]+)?[ \t]+([^<>]+)>")
_MARKS = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\?[a-zA-Z][^{}]*\}")


def parse_subtitles(text: str) -> Parsed:
    """One line for each line that is shown; what stands on the screen still is not said twice."""
    cues = list(_CUE.finditer(text))
    if not cues:
        return Parsed(text, remarks=("it has no times of subtitles, and is read as text",) if text.strip() else ())
    end_of = _end_by_blank_line if text.startswith("WEBVTT") else _end_by_next_cue
    ends = [end_of(text, cue.end(), after.start() if after else len(text)) for cue, after in _with_next(cues)]
    parts: list[str] = []
    places: list[Place] = []
    length, last, shown = 0, 0.0, list[str]()
    for cue, end in zip(cues, ends, strict=True):
        lines = _lines(text[cue.end() : end])
        new = [line for line in lines if line not in shown]
        begin, stop = _seconds(cue, 1), _seconds(cue, 5)
        shown = lines
        if new:
            between = "" if not parts else "\n\n" if begin - last > PAUSE_SECONDS else "\n"
            places.append(Place(length + len(between), "time", f"{_shown(begin)} --> {_shown(stop)}"))
            parts.append(between + "\n".join(new))
            length += len(parts[-1])
        last = stop
    return Parsed("".join(parts), places=tuple(places))


def _with_next(cues: list[re.Match[str]]) -> list[tuple[re.Match[str], re.Match[str] | None]]:
    return [*pairwise(cues), (cues[-1], None)]


def _end_by_blank_line(text: str, start: int, stop: int) -> int:
    """Then notes may follow, which nobody sees."""
    end = _BLOCK_END.search(text, start - 1, stop)
    return end.start() if end else stop


def _end_by_next_cue(text: str, start: int, stop: int) -> int:
    """In SRT a blank line may stand within what is shown."""
    number = _NUMBER.search(text, max(start, stop - LONGEST_NUMBER), stop) if stop < len(text) else None
    return number.start() if number else stop


def _lines(cue: str) -> list[str]:
    """A speaker's name is shown as on a stage."""
    words = _MARKS.sub("", _VOICE.sub(r"\1: ", cue))
    return [line for one in html.unescape(words).split("\n") if (line := " ".join(one.split()))]


def _seconds(cue: re.Match[str], first: int) -> float:
    hours, minutes, seconds, fraction = (cue[first + number] or "0" for number in range(4))
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


def _shown(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{milliseconds:03}"
