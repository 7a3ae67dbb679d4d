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
_VOICE = re.compile(r"<v(?:\.[\w.]+)?[ \t]+([^<>]+)>")
_MARKS = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\?[a-zA-Z][^{}]*\}")


def parse_subtitles(text: str) -> Parsed:
    """One line for each line that is shown; what stands on the screen still is not said twice."""
    cues = list(_CUE.finditer(text))
    ends = [
        _BLOCK_END.search(text, cue.end() - 1, after.start() if after else len(text)) for cue, after in _with_next(cues)
    ]
    parts: list[str] = []
    places: list[Place] = []
    length, last, shown = 0, 0.0, list[str]()
    for cue, end in zip(cues, ends, strict=True):
        lines = _lines(text[cue.end() : end.start() if end else len(text)])
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
    return [*pairwise(cues), (cues[-1], None)] if cues else []


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
