"""What was said to `headrace`, or what is wrong with it, in words for somebody who has just met it."""

import sys
from argparse import ArgumentError, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NoReturn

from flows.commands.table import COMMANDS, Command

_EXIT_CODES = """\
exit codes:
  0    done
  1    done in part: documents are quarantined, or could not be listed;
       of verify: the collection is not what it should be
  2    the arguments or the configuration are wrong
  3    another run works on this pipeline
  4    the money limit is reached; what is paid for is kept
  5    refused: vectors of another model (see rebuild), or another owner
  25   deletions are withheld until you confirm them; all else is done
  70   anything else that went wrong; --debug shows where
  129  ended by the terminal being closed (SIGHUP)
  130  ended by Ctrl-C
  143  ended by SIGTERM
The next run always goes on from where the last one stopped.
"""
_USAGE = "headrace COMMAND [CONFIG] [options]"
_HELP = """\
usage: {usage}

Keeps a vector database equal to its document sources.
CONFIG is a YAML file: one file, one pipeline.

commands:
{commands}

`headrace help COMMAND` shows the options of a command. With --json, which every
command has, one JSON object is on stdout.

to begin:
  headrace init docs                 # writes docs/headrace.yaml
  headrace plan docs/headrace.yaml
  headrace sync docs/headrace.yaml
  headrace search docs/headrace.yaml "what you want to know"

{exit_codes}"""
_EVERYWHERE = ("--json", "--debug")
_PHRASES = {  # how argparse begins, and how we do
    "expected one argument": "a value is missing",
    "ignored explicit argument": "this option takes no value, but got",
    "not allowed with argument": "this option does not go together with",
}


class UsageError(Exception):
    """The arguments are wrong; `usage` says what they should be, `command` whose they are, where that is known."""

    def __init__(self, message: str, command: str | None = None, usage: str = _USAGE) -> None:
        """The message alone is for programs, all three are for a person."""
        super().__init__(message)
        self.command = command
        self.usage = f"usage: {usage}; `headrace help{f' {command}' if command else ''}` says more"


def parse(words: Sequence[str]) -> Namespace:
    """UsageError where they cannot be understood; a wish for help is answered, and ends the process."""
    leading = list(takewhile(lambda word: word.startswith("-"), words))
    rest = list(words[len(leading) :])
    if rest[:1] == ["help"]:
        rest = [*(word for word in rest if not word.startswith("-"))]
    if not words or rest == ["help"] or {"-h", "--help"} & {*leading}:
        sys.stdout.write(_help())
        raise SystemExit(0 if words else 2)
    wrong = next((word for word in leading if word not in _EVERYWHERE), None)
    if wrong:
        raise UsageError(_misplaced(wrong))
    name, *arguments = [*rest[1:2], "--help"] if rest[:1] == ["help"] else rest or [""]
    command = COMMANDS.get(name)
    if command is None:
        raise UsageError(_no_command(name, arguments))
    return _Parser(name, command).understand([*leading, *arguments])


class _Parser(ArgumentParser):
    """Reads the arguments of one command; all that is wrong with them is a UsageError."""

    def __init__(self, name: str, command: Command) -> None:
        super().__init__(
            prog=f"headrace {name}",
            description=f"{command.SUMMARY[:1].upper()}{command.SUMMARY[1:]}.",
            epilog=_EXIT_CODES,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
            exit_on_error=False,
        )
        self._name = name
        self._positionals.title = "arguments"
        command.add_arguments(self)
        self.add_argument("--json", action="store_true", help="put one JSON object, and nothing else, on stdout")
        self.add_argument("--debug", action="store_true", help="show the traceback of an error")
        self.set_defaults(command=name)
        self._expected = [action for action in self._actions if not action.option_strings]
        places = [f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar) for action in self._expected]
        self.usage = " ".join([self.prog, *places, "[options]"])
        for action in self._expected:
            action.required = False  # what is missing is said here, after what is unknown

    @property
    def options(self) -> list[str]:
        """Options as they are written, without those of every command."""
        return [
            word
            for action in self._actions
            for word in action.option_strings
            if word not in (*_EVERYWHERE, "-h", "--help")
        ]

    def understand(self, words: Sequence[str]) -> Namespace:
        try:
            options, rest = self.parse_known_args(words)
        except ArgumentError as error:
            self.error(f"{error.argument_name}: {_in_our_words(error)}")
        unknown = next((word for word in rest if word.startswith("-")), None)
        if unknown:
            self.error(_no_option(unknown, self._name, self.options))
        if rest:
            self.error(f"more words than expected: {_quoted(rest)}; put words that belong together into quotes")
        missing = [action for action in self._expected if getattr(options, action.dest) is None]
        if missing and not _is_config(getattr(options, "config", "")):
            self.error(f"CONFIG is missing: {_which_config()}")
        if missing:
            self.error(f"{missing[0].metavar} is missing: {missing[0].help}")
        return options

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self._name, str(self.usage))


def _help() -> str:
    commands = "\n".join(f"  {name:<11} {command.SUMMARY}" for name, command in COMMANDS.items())
    return _HELP.format(usage=_USAGE, commands=commands, exit_codes=_EXIT_CODES)


def _in_our_words(error: ArgumentError) -> str:
    theirs = next((phrase for phrase in _PHRASES if error.message.startswith(phrase)), "")
    return _PHRASES.get(theirs, "") + error.message.removeprefix(theirs)


def _no_command(name: str, arguments: Sequence[str]) -> str:
    if not name:
        return f"no command is given; {_expected('', COMMANDS)}"
    later = next((word for word in arguments if word in COMMANDS), None)
    if later:
        return f"the command comes first: headrace {later} {name}"
    return f"{name!r} is no command; {_expected(name, COMMANDS)}"


def _misplaced(word: str) -> str:
    owners = _owners(word)
    if owners:
        example = str(_Parser(owners[0], COMMANDS[owners[0]]).usage).replace("[options]", word)
        return f"{_name(word)} stands before the command; options follow it, as in `{example}`"
    return f"{_name(word)} is no option of `headrace`; a command is expected: {', '.join(COMMANDS)}"


def _no_option(word: str, command: str, options: Sequence[str]) -> str:
    text = f"{_name(word)} is no option of `headrace {command}`"
    owners = _owners(word)
    if owners:
        return f"{text}, but of {', '.join(f'`headrace {owner}`' for owner in owners)}"
    known = [*options, *_EVERYWHERE]
    return f"{text}; {_expected(_name(word), known)}"


def _owners(word: str) -> list[str]:
    """The commands that have this option."""
    return [name for name, command in COMMANDS.items() if _name(word) in _Parser(name, command).options]


def _name(word: str) -> str:
    return word.partition("=")[0]


def _expected(word: str, known: Iterable[str]) -> str:
    """The one that was meant, or all there are."""
    from difflib import get_close_matches

    begun = [one for one in known if word and one.startswith(word)]
    close = begun or get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known)}"


def _is_config(text: str | None) -> bool:
    return bool(text) and (Path(str(text)).is_file() or str(text).endswith((".yaml", ".yml")))


def _which_config() -> str:
    from config.nearby import one_of, pipelines_in

    here = pipelines_in(Path())
    remedy = f"give {one_of(here)}" if here else "none is in this folder, `headrace init FOLDER` writes one"
    return f"the YAML file of a pipeline is expected; {remedy}"


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))
