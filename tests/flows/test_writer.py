"""Questions that a chat model writes, where nobody has judged any."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Outcome, Pipeline
from tests.openai_server import OpenAIServer

PATH = "/v1/chat/completions"
WORDS = ("valve", "gauge", "flange", "bearing")
Answers = Callable[[str, str, bytes], tuple[int, bytes] | None]


@pytest.fixture
def manual(pipeline: Pipeline, openai_server: OpenAIServer) -> Pipeline:
    for path in (pipeline.folder / "docs").rglob("*.*"):
        path.unlink()
    for word in WORDS:
        pipeline.write(f"{word}.txt", f"Turn the {word} by a quarter, wait a minute, and look at the {word}. " * 5)
    assert pipeline.sync()["code"] == 0
    configured(pipeline, openai_server)
    return pipeline


def configured(pipeline: Pipeline, server: OpenAIServer, settings: str = "") -> None:
    text = pipeline.config.read_text().partition("writer:")[0]
    place = f"base_url: '{server.url}', api_key: '${{OPENAI_KEY}}'"
    pipeline.config.write_text(f"{text}writer: {{model: scribe, {place}{settings}}}\n")


def writing(asked: list[Any], refused: str = "no word") -> Answers:
    """Asks after the word that the text is about; 400 for texts about the one that is `refused`."""

    def answer(_method: str, path: str, content: bytes) -> tuple[int, bytes] | None:
        assert path == PATH
        body = json.loads(content)
        asked.append(body)
        text = body["messages"][0]["content"]
        if refused in text:
            return 400, b'{"error": {"message": "not about this"}}'
        word = next(word for word in WORDS if word in text)
        said = {"content": f'<think>A {word}?</think>\n"What about the {word}?"\n'}
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        return 200, json.dumps({"choices": [{"message": said}], "usage": usage}).encode()

    return answer


def evaluate(pipeline: Pipeline, *options: str) -> Outcome:
    return pipeline.run("evaluate", str(pipeline.config), *options, "--json")


def test_written_questions_are_asked_of_the_live_index(manual: Pipeline, openai_server: OpenAIServer) -> None:
    asked: list[Any] = []
    openai_server.elsewhere = writing(asked)
    done = evaluate(manual, "--bootstrap", "4", "--writer", "--mode", "text")
    assert (done.code, done.json["queries"], done.json["metrics"]["mrr@10"]) == (0, 4, 1.0)
    assert (done.json["synthetic"], done.json["notes"][0][-19:]) == (True, "4 written questions")
    assert {body["model"] for body in asked} == {"scribe"}
    assert len({body["messages"][0]["content"] for body in asked}) == 4
    other = evaluate(manual, "--bootstrap", "2", "--writer", "another", "--generation", "1")
    assert (other.code, other.json["queries"], asked[-1]["model"]) == (0, 2, "another")


def test_what_it_refuses_is_left_out_and_money_is_kept_to(manual: Pipeline, openai_server: OpenAIServer) -> None:
    asked: list[Any] = []
    openai_server.elsewhere = writing(asked, refused="flange")
    assert evaluate(manual, "--bootstrap", "--writer").json["queries"] == 3
    price = "usd_per_million_tokens: 1, usd_per_million_output_tokens: 4"
    configured(manual, openai_server, f", {price}, max_usd_per_day: 0.0016")
    asked.clear()  # 140 millionths each, and some 1,400 are set aside
    assert evaluate(manual, "--bootstrap", "--writer").json["queries"] < 3
    spent = [evaluate(manual, "--bootstrap", "--writer") for _ in range(3)][-1]
    assert (spent.code, "max_usd_per_day is 0.0016" in spent.json["error"]) == (4, True)
    configured(manual, openai_server, f", {price}")
    assert evaluate(manual, "--bootstrap", "--writer", "--max-usd", "0.0001").code == 4
    openai_server.elsewhere = writing(asked, refused="Turn")
    refused = evaluate(manual, "--bootstrap", "--writer")
    assert (refused.code, "none came: the writer answered 400: not about this" in refused.json["error"]) == (70, True)


@pytest.mark.parametrize(
    ("options", "settings", "words"),
    [
        (["--writer"], "", "say that beside it"),
        (["--bootstrap", "--writer", "--keep"], "", "goes with no others"),
        (["--bootstrap", "--writer", "--max-usd", "1"], "", "max_usd needs `usd_per_million_tokens`"),
        (["--bootstrap", "--writer"], ", max_usd_per_day: 1", "max_usd_per_day needs `usd_per_million_tokens`"),
    ],
)
def test_what_cannot_be_written_is_told(
    manual: Pipeline, openai_server: OpenAIServer, options: list[str], settings: str, words: str
) -> None:
    configured(manual, openai_server, settings)
    outcome = evaluate(manual, *options)
    assert (outcome.code, words in outcome.json["error"]) == (2, True), outcome.json["error"]


def test_a_writer_without_a_model_or_a_key_is_told(manual: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    manual.config.write_text(manual.config.read_text().partition("writer:")[0])
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "--writer MODEL" in evaluate(manual, "--bootstrap", "--writer").json["error"]
    assert "export OPENAI_API_KEY" in evaluate(manual, "--bootstrap", "--writer", "scribe").json["error"]
