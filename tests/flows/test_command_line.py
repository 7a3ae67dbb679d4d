"""What somebody meets who has just installed Headrace: help, and what is said to wrong arguments."""

from collections.abc import Callable
from pathlib import Path

import pytest

import tasks.errors
from config.errors import HeadraceError
from flows.cli import main
from flows.commands.table import COMMANDS
from tasks.sync.report import Outcome as RunOutcome
from tests.conftest import Outcome, Pipeline

REPOSITORY = Path(__file__).parents[2]
PIPELINE = "name: mine\nsources: [{path: .}]\nembedder: {kind: hashing}\nstore: {kind: qdrant, path: ./db}\n"

Helped = Callable[..., tuple[str, object]]


@pytest.fixture
def helped(capsys: pytest.CaptureFixture[str]) -> Helped:
    """What a wish for help gets: the text on stdout, and the exit code."""

    def run(*words: str) -> tuple[str, object]:
        with pytest.raises(SystemExit) as end:
            main(words)
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out, end.value.code

    return run


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """What wrong arguments get."""

    def run(*words: str) -> Outcome:
        code = main(words)
        return Outcome(code, *capsys.readouterr())

    return run


def test_every_file_of_the_commands_is_a_command() -> None:
    files = {path.stem for path in (REPOSITORY / "flows" / "commands").glob("*.py")}
    assert files - {"__init__", "table"} == {*COMMANDS}


def test_help_names_every_command_and_every_exit_code(helped: Helped) -> None:
    text, code = helped("--help")
    assert code == 0
    assert all(f"  {name} " in text and command.SUMMARY in text for name, command in COMMANDS.items())
    kinds = (kind for kind in vars(tasks.errors).values() if isinstance(kind, type))
    errors = {kind.exit_code for kind in kinds if issubclass(kind, HeadraceError)}
    codes = {0, 129, 130, 143, *(outcome.exit_code for outcome in RunOutcome), *errors}
    assert {int(line.split()[0]) for line in text.splitlines() if line[:3].strip().isdigit()} == codes
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_for_a_command_comes_whichever_way_it_is_asked_for(command: str, helped: Helped) -> None:
    text, code = helped("help", command)
    assert code == 0
    assert text.startswith(f"usage: headrace {command} ")
    assert "--json" in text
    assert "exit codes:" in text
    assert helped(command, "--help") == helped(command, "-h") == helped(command, "a.yaml", "--help") == (text, 0)


def test_headrace_alone_shows_help_and_has_done_nothing(helped: Helped) -> None:
    text, code = helped()
    assert (text, 0) == helped("help") == helped("--help") == helped("-h") == helped("help", "--help")
    assert code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["snyc", "a.yaml"], "'snyc' is no command; did you mean sync?"),
        (["frobnicate"], "'frobnicate' is no command; expected one of init, plan, sync, "),
        (["help", "snyc"], "did you mean sync?"),
        (["a.yaml", "sync"], "the command comes first: headrace sync a.yaml"),
        (["--limit", "3", "search", "a.yaml", "b"], "as in `headrace search CONFIG QUERY --limit`"),
        (["--frob"], "--frob is no option of `headrace`"),
        (["sync", "a.yaml", "--wiat"], "--wiat is no option of `headrace sync`; did you mean --wait?"),
        (["sync", "--wiat"], "did you mean --wait?"),
        (["sync", "a.yaml", "--max=3"], "did you mean --max-usd?"),
        (["sync", "a.yaml", "--quux"], "expected one of --confirm-deletes, --max-usd, "),
        (["plan", "a.yaml", "--limit", "3"], "--limit is no option of `headrace plan`, but of `headrace search`"),
        (["search", "a.yaml"], "QUERY is missing: what to look for"),
        (["search", "how do I"], "CONFIG is missing: the YAML file of a pipeline"),
        (["sync"], "CONFIG is missing: the YAML file of a pipeline"),
        (["search", "a.yaml", "how", "do", "I"], "more words than expected: 'do', 'I'; put words that belong together"),
        (["sync", "a.yaml", "--max-usd", "nan"], "--max-usd: 'nan' is not an amount of money; expected US dollars"),
        (["sync", "a.yaml", "--max-usd"], "--max-usd: a value is missing"),
        (["search", "a.yaml", "b", "--limit", "0"], "--limit: '0' is not a whole number from 1 to 1,000,000"),
        (["search", "a.yaml", "b", "--offset", "-1"], "--offset: '-1' is not a whole number from 0 to 1,000,000"),
        (["search", "a.yaml", "b", "--per-document", "0"], "--per-document: '0' is not a whole number from 1 to"),
        (
            ["search", "a.yaml", "b", "--min-score", "1.5"],
            "--min-score: '1.5' is no cosine similarity; expected a num",
        ),
        (["search", "a.yaml", "b", "--min-score", "-2"], "--min-score: '-2' is no cosine similarity"),
        (["search", "a.yaml", "b", "--min-score", "nan"], "--min-score: 'nan' is no cosine similarity"),
        (["search", "a.yaml", "b", "--min-score", "high"], "--min-score: 'high' is no cosine similarity"),
        (["verify", "a.yaml", "--sample", "many"], "--sample: 'many' is not a whole number from 0 to 1,000,000"),
        (["sync", "a.yaml", "--wait=yes"], "--wait: this option takes no value, but got 'yes'"),
        (["sync", "a.yaml", "--track", "--direct"], "--direct: this option does not go together with --track"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_told_in_plain_words(words: list[str], expected: str, said: Callable[..., Outcome]) -> None:
    plain = said(*words)
    assert (plain.code, plain.out) == (2, "")
    first, usage = plain.err.splitlines()
    assert first.startswith("headrace")
    assert expected in first
    assert usage.startswith("usage: headrace ")
    shape = said(*words, "--json")
    assert shape.code == 2
    assert (shape.json["outcome"], shape.json["exit_code"]) == ("failed", 2)
    assert shape.json["error"] in plain.err
    assert shape.json["command"] == (words[0] if words[0] in COMMANDS else None)


def test_what_every_command_has_may_stand_before_it(pipeline: Pipeline) -> None:
    before, after = pipeline.run("--json", "status", str(pipeline.config)), pipeline.run("status", str(pipeline.config))
    assert before.json["pipeline"] == "trial"
    assert after.out.startswith("trial")


def test_who_names_no_pipeline_hears_which_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[..., Outcome]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "`headrace init FOLDER` writes one" in said("plan").err
    for name in ("docs/headrace.yaml", ".hidden/a.yaml", "docs/below/b.yaml", "mine.yml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PIPELINE)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    assert "give mine.yml or docs/headrace.yaml\n" in said("plan").err
    assert "mien.yml: no such file; did you mean mine.yml?\n" in said("plan", "mien.yml").err
    assert "other: no such file; give mine.yml or docs/headrace.yaml\n" in said("plan", "other").err
    assert (
        "docs is a folder; expected a YAML file, give docs/headrace.yaml or docs/below/b.yaml"
        in said("plan", "docs").err
    )
    (tmp_path / "page.md").write_text("# A page: with\n\n`code` and: more\n")
    assert "expected the YAML file of a pipeline, give mine.yml" in said("plan", "page.md").err
