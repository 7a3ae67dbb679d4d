"""LaTeX as Markdown: sections, words without commands, formulas and listings as they are written."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from tasks.load.parse.hidden import absent
from tasks.load.parse.latex_commands import (
    ACCENTS,
    BETWEEN,
    DEFINING,
    FILES,
    LEADING,
    LEVELS,
    MARKS,
    PLAIN,
    SETTINGS,
    SILENT,
    SYMBOLS,
    TABLES,
    theorems_in,
)
from tasks.load.parse.latex_tables import BEGIN, CELL, END, ROW, UNMARKED, tabled
from tasks.load.parse.office.blocks import lowered, raised
from tasks.load.parse.text import Parsed

LONGEST_ARGUMENT = 5_000
DEEPEST = 12
MOST_EXPANDED = 200_000  # characters that the document's own commands may make: each may name others many times
_BEGIN = re.compile(r"^[^%\n]*\\begin\{document\}", re.MULTILINE)
_TITLE = re.compile(r"^[^%\n]*\\title[ \t]*(?:\[[^\[\]]*\])?[ \t]*(?=\{)", re.MULTILINE)
_AUTHOR = re.compile(r"^[^%\n]*\\author[ \t]*(?:\[[^\[\]]*\])?[ \t]*(?=\{)", re.MULTILINE)
_TOKEN = re.compile(
    r"\\begin\{(?P<listing>verbatim\*?|Verbatim|lstlisting|minted|alltt|comment|tikzpicture)\}"
    r"|\\begin\{(?P<math>(?:equation|align|gather|multline|eqnarray|displaymath|math|flalign|alignat)\*?)\}"
    r"|\\(?:begin|end)\{(?P<environment>[^{}\n]*)\}"
    r"|(?P<formula>\$\$?|\\\(|\\\[)"
    r"|\\(?:verb|lstinline)\*?(?P<verb>[^\sA-Za-z*{\[])|\\(?P<name>[A-Za-z@]+)\*?[ \t]*|\\(?P<mark>[\s\S])"
    r"|(?P<remark>%[^\n]*(?:\n[ \t]*)?)|(?P<plain>---?|``|''|[~&{}])"
)
_ARGUMENT = re.compile(r"[ \t]*\n?[ \t]*(?:\[[^\[\]]{0,2000}\][ \t]*)*\{")
_OPTION = re.compile(r"[ \t]*\[[^\[\]]{0,2000}\]")
_BRACES = re.compile(r"\\.|[{}]|%[^\n]*", re.DOTALL)
_AFTER_ROW = re.compile(r"\*?[ \t]*(?:\[[-+\s.\d]*\\?[a-zA-Z]+\])?")
_TRIMMED = re.compile(r"[ \t]*\([lr]{1,2}\)")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LETTER = re.compile(r"\{?\\?([A-Za-z])\}?")
_SETTINGS = re.compile(r"(?:\[[^\[\]]*\])?(?:\{([^{}]*)\})?")
_UNSEEN = re.compile(r"(?<!\\)%[^\n]*|\\label\{[^{}]*\}")
_OWN = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareRobustCommand)\*?[ \t]*(?:\{[ \t]*\\(?P<braced>[A-Za-z@]+)[ \t]*\}"
    r"|\\(?P<bare>[A-Za-z@]+))[ \t]*(?:\[(?P<count>\d)\])?(?:\[(?P<default>[^\[\]]*)\])?"
    r"|\\def[ \t]*\\(?P<plain>[A-Za-z@]+)(?=[ \t]*\{)"
)
_DEFINED = re.compile(r"[ \t]*\\[A-Za-z@]+[#\d \t]*")
_GIVEN = re.compile(r"#(\d)")
_SKIPPED = re.compile(r"\\(?:fi|else)(?![A-Za-z])[ \t]*")
_SCRIPTS = {"textsuperscript": raised, "textsubscript": lowered}
_CLOSED = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}


def parse_latex(_name: str, content: bytes) -> Parsed:
    """The document without its preamble, comments and settings; included files and pictures are told."""
    text = content.decode().translate(UNMARKED)
    begin = _BEGIN.search(text)
    start = begin.end() if begin else 0
    end = text.rfind(r"\end{document}")
    named = _TITLE.search(text)
    reader = _Reader(_own_commands(text), theorems_in(text))
    title = " ".join(reader.words(_argument(text, named.end())[0]).split()) if named else ""
    author = _AUTHOR.search(text)
    authors = " ".join(reader.words(_argument(text, author.end())[0]).split()) if author else ""
    authors = "\n\n".join((authors.replace(" , ", ", "), *reader.thanks)).strip()
    words = tabled(reader.words(text[start : end if end > start else len(text)]))
    words = _BLANK_LINES.sub("\n\n", words).strip()
    if title:
        words = "\n\n".join(filter(None, (f"# {title}", authors, words)))
    title = title or next((line.lstrip("# ") for line in words.split("\n") if line.startswith("#")), "")
    return Parsed(words + "\n" * bool(words), title, remarks=(*absent(reader.files), *reader.pictures()))


class _Own(NamedTuple):
    """A command that the document defines: `default` is that of its first argument, None where it must be given."""

    arguments: int
    default: str | None
    body: str


def _own_commands(text: str) -> Mapping[str, _Own]:
    commands: dict[str, _Own] = {}
    for found in _OWN.finditer(text):
        name = found["braced"] or found["bare"] or found["plain"]
        body = _argument(text, found.end())[0]
        if name not in LEVELS and not SILENT.fullmatch(name) and "\\begin" not in body:
            commands[name] = _Own(int(found["count"] or 0), found["default"], body)
    return commands


def _argument(text: str, at: int) -> tuple[str, int]:
    """What stands in braces behind `at`, and the character after it; options before it are passed over."""
    opened = _ARGUMENT.match(text, at)
    if not opened:
        return "", at
    start = opened.end()
    close = _closed(text).get(start - 1, len(text) + LONGEST_ARGUMENT)
    return ("", start) if close > start + LONGEST_ARGUMENT else (text[start:close], close + 1)


@lru_cache(maxsize=2 * DEEPEST)
def _closed(text: str) -> Mapping[int, int]:
    """Where each brace that opens is closed: found in one walk, for a text may open them without end."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACES.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            ends[opened.pop()] = brace.start()
    return ends


class _Reader:
    """Turns commands into words, and remembers what these only name; `theorems` are called so, by their names."""

    def __init__(self, own: Mapping[str, _Own], theorems: Mapping[str, str]) -> None:
        self.files: list[str] = []
        self.thanks: list[str] = []  # notes of the title and its authors, which are no words of these
        self._theorems = theorems
        self._own = own
        self._known = {**dict.fromkeys((*BETWEEN, *_SCRIPTS), self._joined), "thanks": self._thanked}
        self._room = MOST_EXPANDED
        self._pictures = 0
        self._depth = 0
        self._last: dict[str, int] = {}  # where each end of a formula stands for the last time

    def pictures(self) -> tuple[str, ...]:
        """A remark on what is only seen."""
        shown = "picture in it is" if self._pictures == 1 else "pictures in it are"
        return (f"{self._pictures} {shown} not read",) if self._pictures else ()

    def words(self, text: str) -> str:
        """The text of a part."""
        if self._depth >= DEEPEST:
            return text
        self._depth += 1
        around, self._last = self._last, {mark: text.rfind(mark) for mark in (*_CLOSED.values(), r"\fi")}
        parts: list[str] = []
        at = 0
        while token := _TOKEN.search(text, at):
            parts.append(text[at : token.start()])
            part, at = self._token(text, token)
            parts.append(part)
        self._last = around
        self._depth -= 1
        return "".join([*parts, text[at:]])

    def _token(self, text: str, token: re.Match[str]) -> tuple[str, int]:
        """What the token stands for, and the character after all that belongs to it."""
        kind, end = token.lastgroup or "", token.end()
        value = token[kind]
        match kind:
            case "name":
                read = self._own_command if value in self._own else self._known.get(value, self._command)
                made = read(text, token)
            case "listing" | "math":
                self._pictures += value == "tikzpicture"
                made = _environment(text, value, end, is_math=kind == "math")
            case "formula":
                # The end of each that is not closed would be sought to the end of the text.
                close = _CLOSED[value]
                stop = text.find(close, end) + len(close) if self._last[close] >= end else end
                made = text[token.start() : stop], stop
            case "verb":
                stop = text.find(value, end, end + LONGEST_ARGUMENT)
                made = (f"`{text[end:stop]}`", stop + 1) if stop >= 0 else ("", end)
            case "mark":
                made = _mark(text, value, end)
            case "environment":
                made = self._border(text, value, token)
            case _:
                made = CELL if value == "&" else PLAIN.get(value, ""), end
        return made

    def _own_command(self, text: str, token: re.Match[str]) -> tuple[str, int]:
        end = token.end()
        count, default, body = self._own[token["name"]]
        given: list[str] = []
        if default is not None:
            option = _OPTION.match(text, end)
            given.append(option[0].strip()[1:-1] if option else default)
            end = option.end() if option else end
        while len(given) < count:
            argument, end = _argument(text, end)
            given.append(argument)
        body = _GIVEN.sub(lambda number: "".join(given[int(number[1]) - 1 : int(number[1])]), body)
        self._room -= len(body)
        return self.words(body) if self._room > 0 else "", end

    def _joined(self, text: str, token: re.Match[str]) -> tuple[str, int]:
        """The arguments of a command with what a reader sees between them, or between the first and what is before."""
        name, end = token["name"], token.end()
        if name in BETWEEN:
            words = ""
            for mark in ("", *BETWEEN[name]):
                argument, end = _argument(text, end)
                words += mark + self.words(argument)
            return words, end
        argument, end = _argument(text, end)
        before, words = text[max(0, token.start() - 1) : token.start()].strip(), self.words(argument).strip()
        return _SCRIPTS[name](before, words) if before and words else words, end

    def _thanked(self, text: str, token: re.Match[str]) -> tuple[str, int]:
        argument, end = _argument(text, token.end())
        self.thanks.append(self.words(argument).strip())
        return "", end

    def _passed(self, text: str, token: re.Match[str]) -> int:
        """The character after a definition, or after what is not read; 0 for all else."""
        name, end = token["name"], token.end()
        if name == "iffalse":
            found = _SKIPPED.search(text, end) if self._last[r"\fi"] >= end else None
            return found.end() if found else end
        defined = _OWN.match(text, token.start()) or (_DEFINED.match(text, end) if name == "def" else None)
        return _argument(text, defined.end())[1] if defined else 0

    def _command(self, text: str, token: re.Match[str]) -> tuple[str, int]:
        name, end = token["name"], token.end()
        if after := self._passed(text, token):
            return "", after
        if name in SYMBOLS:
            return SYMBOLS[name], end + 2 * text.startswith("{}", end)
        if name in LEVELS or name in ("caption", "footnote"):
            argument, end = _argument(text, end)
            words = " ".join(self.words(argument).split())
            forms = {"caption": f"\n{words}\n", "footnote": f" ({words})"}
            return forms.get(name) or f"\n\n{'#' * LEVELS[name]} {words}\n\n", end
        if name in ACCENTS and text[end : end + 1] == "{":
            return _accented(text, name, end)
        if SILENT.fullmatch(name):
            return "", self._silent(text, name, end)
        for _ in range(LEADING.get(name, 0)):
            end = _argument(text, end)[1]
        options = _OPTION.match(text, end)
        end = options.end() if options else end
        return "" if text[end : end + 1] == "{" else " ", end

    def _border(self, text: str, name: str, token: re.Match[str]) -> tuple[str, int]:
        """Where an environment begins, with its settings or as a theorem with its name, or ends."""
        begins, end = text.startswith("\\begin", token.start()), token.end()
        for _ in range(SETTINGS.get(name, 0) if begins else 0):
            end = _argument(text, end)[1]
        options = _OPTION.match(text, end)
        end = options.end() if options else end
        if called := self._theorems.get(name.rstrip("*")):
            option = self.words(options[0].strip()[1:-1]) if options else ""
            return (f"\n\n{called} ({option}). " if option else f"\n\n{called}. ") if begins else "\n\n", end
        return ("\n" if name not in TABLES else BEGIN if begins else END), end

    def _silent(self, text: str, name: str, end: int) -> int:
        """The character after all that the command is given."""
        trimmed = _TRIMMED.match(text, end)  # of \cmidrule(lr){1-2}
        target, end = _argument(text, trimmed.end() if trimmed else end)
        self._pictures += name == "includegraphics"
        if FILES.fullmatch(name) and target:
            self.files.append(target)
        while DEFINING.fullmatch(name) and text[end : end + 1] in ("{", "["):
            after = _argument(text, end)[1]
            end = after if after > end else end + 1
        return end


def _mark(text: str, mark: str, end: int) -> tuple[str, int]:
    if mark in ACCENTS:
        return _accented(text, mark, end)
    after = _AFTER_ROW.match(text, end) if mark == "\\" else None
    return (ROW, after.end()) if after else (MARKS.get(mark, ""), end)


def _environment(text: str, name: str, at: int, *, is_math: bool) -> tuple[str, int]:
    """A listing, a formula or a comment, up to its own end."""
    close = f"\\end{{{name}}}"
    stop = text.find(close, at)
    inner, end = (text[at:], len(text)) if stop < 0 else (text[at:stop], stop + len(close))
    if name in ("comment", "tikzpicture"):
        return "", end
    if is_math:
        return f"\n$${_UNSEEN.sub('', inner)}$$\n", end
    settings = _SETTINGS.match(inner) if name in ("lstlisting", "minted", "Verbatim") else None
    language = (settings[1] or "") if settings and name == "minted" else ""
    listing = inner[settings.end() if settings else 0 :].strip("\n")
    return f"\n\n```{language}\n{listing}\n```\n\n", end


def _accented(text: str, accent: str, end: int) -> tuple[str, int]:
    """The letter with its accent, in one character where there is one."""
    letter = _LETTER.match(text, end)
    return (unicodedata.normalize("NFC", letter[1] + ACCENTS[accent]), letter.end()) if letter else ("", end)
