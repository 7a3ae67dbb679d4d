"""Small documents of every format, as the index holds them: all that a reader sees, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main

CASES = Path(__file__).parents[1] / "data/cases"
FILES = CASES / "files"
WANTED: dict[str, dict[str, Any]] = json.loads((CASES / "expected.json").read_text())
USUAL_TOKENS = 256
PENDING: set[str] = set()


class Index:
    """What a sync made of all files: `chunks` by document in order of position, and what plan, sync and status say."""

    def __init__(self, folder: Path, tokens: int, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._config = folder / "cases.yaml"
        self._config.write_text(
            json.dumps(
                {
                    "name": "cases",
                    "sources": [{"kind": "files", "name": "cases", "path": str(FILES), "include": ["**/*"]}],
                    "chunking": {"max_tokens": tokens, "overlap_tokens": 0},
                    "embedder": {"kind": "hashing", "dimensions": 64},
                    "store": {"kind": "qdrant", "path": "./store"},
                    "state": "sqlite:///./state.db",
                    "cache": "sqlite:///./cache.db",
                }
            )
        )
        self.told = "".join(json.dumps(self._run(command)) for command in ("plan", "sync", "status"))
        self.chunks: dict[str, list[dict[str, Any]]] = {}
        for hit in self._run("search", "what is in here", "--limit", "5000")["hits"]:
            self.chunks.setdefault(hit["document"].split(":", 1)[1], []).append(hit)
        for chunks in self.chunks.values():
            chunks.sort(key=lambda chunk: chunk["metadata"]["position"])

    def _run(self, command: str, *options: str) -> Any:
        main([command, str(self._config), *options, "--json"])
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture(scope="module")
def indexes() -> dict[int, Index]:
    return {}


@pytest.fixture
def index(
    request: pytest.FixtureRequest,
    indexes: dict[int, Index],
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> Index:
    """Made once for each size of chunks."""
    tokens = WANTED[request.node.callspec.params["name"]].get("tokens", USUAL_TOKENS)
    if tokens not in indexes:
        indexes[tokens] = Index(tmp_path_factory.mktemp("cases"), tokens, capsys)
    return indexes[tokens]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xfail(strict=True) if name in PENDING else ()) for name in WANTED]
)
def test_the_index_holds_what_a_reader_sees(index: Index, name: str) -> None:
    assert faults(WANTED[name], index.chunks.get(name, []), name in index.told) == []


def faults(wanted: dict[str, Any], chunks: list[dict[str, Any]], is_told: bool) -> list[str]:
    """What is not as `expected.json` has it: texts are compared with white space folded, or are expressions."""
    text = folded(" ".join(chunk["text"] for chunk in chunks))
    if wanted.get("set_aside"):
        indexed = any(part in text for part in wanted.get("lacks", ()))
        return ["is indexed"] * indexed + ["is not named"] * (not is_told)
    shown = [folded(json.dumps(chunk["metadata"], ensure_ascii=False) + " " + chunk["text"]) for chunk in chunks]
    headings = [str(chunk["metadata"].get("heading", "")) for chunk in chunks]
    titles = [chunk["metadata"].get("title") for chunk in chunks]
    return [
        *(f"lacks {part!r}" for part in wanted.get("has", ()) if not is_in(part, text)),
        *(f"has {part!r}" for part in wanted.get("lacks", ()) if folded(part) in text),
        *(f"has the titles {titles}" for title in [wanted.get("title")] if title and title not in titles),
        *(
            f"has no chunk under {heading!r}"
            for heading in wanted.get("headings", ())
            if not any(re.search(f"(?:{heading})$", path) for path in headings)
        ),
        *(
            f"has chunks that do not know {part!r}"
            for part in wanted.get("every", ())
            if not shown or not all(is_in(part, one) for one in shown)
        ),
    ]


def is_in(part: str, text: str) -> bool:
    return folded(part) in text or re.search(part, text) is not None


def folded(text: str) -> str:
    return re.sub(r"\s+", " ", text)
