"""Every bad input ends in its class, or is read; none of them ends the process."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from config.sources import FilesSource
from tasks.errors import DocumentError, ServiceError, TransientError
from tasks.load.base import Source
from tasks.load.files import local as loading
from tasks.load.files.local import Files
from tasks.load.parse.isolated import child
from tasks.load.window import OUTAGE, load_window
from tasks.records import Document, DocumentRef, Listing
from tasks.windows import Refs
from tests.tasks.load.bad_inputs import INPUTS, MAX_BYTES, BadInput, docx, pdf


def source(folder: Path, **settings: object) -> Files:
    return Files(FilesSource.model_validate({"kind": "files", "path": str(folder), "name": "s", **settings}))


def ref(name: str) -> DocumentRef:
    return DocumentRef(f"s:{name}", "s", name)  # type: ignore[arg-type]  # an id as the source makes it


@pytest.fixture(scope="module", autouse=True)
def _one_parser() -> Iterator[None]:
    yield
    child.SHARED.close()


class Nothing:
    """Nothing is known."""

    def is_current(self, document: Document, /) -> bool:
        return False


@pytest.mark.parametrize("bad", INPUTS, ids=lambda bad: f"{bad.number}-{bad.name}")
def test_each_input_ends_in_its_class(tmp_path: Path, bad: BadInput) -> None:
    root = tmp_path / "deep" / "root"
    root.mkdir(parents=True)
    (root / bad.name).write_bytes(bad.make())
    files = source(root, max_bytes=MAX_BYTES)
    [listed] = files.list().refs
    if bad.reason:
        with pytest.raises(DocumentError) as caught:
            files.read(listed)
        assert caught.value.reason == bad.reason
        message = str(caught.value)
        assert bad.name in message
        assert any(remedy in message for remedy in ("exclude it", "max_bytes", "OCR", "password"))
        return
    text = files.read(listed).text
    assert bad.text in text
    assert bool(text.strip()) is not bad.is_empty
    assert "hidden()" not in text
    assert "unseen" not in text
    text.encode()
    assert "\0" not in text
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [bad.name], "nothing was unpacked"


def test_a_name_that_only_differs_in_unicode_form_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "cafe\u0301.md").write_text("x")
    assert [listed.id for listed in source(tmp_path).list().refs] == ["s:caf\u00e9.md"]


@pytest.mark.parametrize("path", ["../outside.md", "/etc/passwd", "a/../../outside.md", "a\0b.md", ""])
def test_a_path_out_of_the_root_is_not_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "outside.md").write_text("outside")
    (tmp_path / "root" / "a").mkdir(parents=True)
    with pytest.raises(DocumentError) as caught:
        source(tmp_path / "root").read(ref(path))
    assert caught.value.reason == "outside"


def exchange(root: Path, outside: Path, exchanged: str) -> None:
    """Put a link that leads out of the root in the place of a file, or of its folder."""
    if (root / "sub").is_symlink() or (root / "sub/a.md").is_symlink():
        return
    (root / "sub/a.md").unlink()
    if exchanged == "folder":
        (root / "sub").rmdir()
        (root / "sub").symlink_to(outside)
    else:
        (root / "sub/a.md").symlink_to(outside / "a.md")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A root, and a folder beside it with the same file."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "sub", outside):
        folder.mkdir(parents=True)
        (folder / "a.md").write_text(folder.name)
    return root, outside


@pytest.mark.parametrize("moment", [1, 2, 3])
@pytest.mark.parametrize("exchanged", ["file", "folder"])
def test_a_link_put_in_place_while_the_path_is_opened_is_not_followed(
    places: tuple[Path, Path], exchanged: str, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the root, the folder or the file itself is opened."""
    files = source(places[0])
    [listed] = files.list().refs
    real, opened = os.open, 0

    def late(path: Any, *arguments: Any, **options: Any) -> int:
        nonlocal opened
        opened += 1
        if opened == moment:
            exchange(*places, exchanged)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", late)
    with pytest.raises(DocumentError) as caught:
        files.read(listed)
    assert opened >= moment
    assert caught.value.reason in ("outside", "missing", "unreadable")
    with pytest.raises(DocumentError):
        files.read(listed)


@pytest.mark.parametrize("exchanged", ["file", "folder"])
def test_a_link_put_in_place_after_a_link_was_resolved_is_not_followed(
    places: tuple[Path, Path], exchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = places
    (root / "link.md").symlink_to(root / "sub/a.md")
    files = source(root)
    [listed] = [ref for ref in files.list().refs if ref.path == "link.md"]
    real = os.path.realpath

    def late(path: str, **options: bool) -> str:
        found = real(path, **options)
        exchange(*places, exchanged)
        return found

    monkeypatch.setattr(loading.os.path, "realpath", late)
    with pytest.raises(DocumentError) as caught:
        files.read(listed)
    assert caught.value.reason in ("outside", "missing", "unreadable")


def test_a_pipe_is_no_document_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    files = source(tmp_path)
    assert files.list().refs == ()
    with pytest.raises(DocumentError):
        files.read(ref("pipe.md"))


def test_a_file_that_grows_while_it_is_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.md"
    path.write_text("one\n")
    real = os.fstat
    growing = 99

    def grow(descriptor: int) -> os.stat_result:
        nonlocal growing
        found = real(descriptor)
        if growing > 0:
            growing -= 1
            with path.open("a") as file:
                file.write("more\n")
        return found

    monkeypatch.setattr(loading.os, "fstat", grow)
    with pytest.raises(TransientError, match="changes while it is read"):
        source(tmp_path).read(ref("log.md"))
    growing = 0
    assert source(tmp_path).read(ref("log.md")).text == path.read_text()


def test_a_root_that_goes_away_stops_the_run(tmp_path: Path) -> None:
    root = tmp_path / "mounted"
    root.mkdir()
    (root / "a.md").write_text("x")
    files = source(root)
    [listed] = files.list().refs
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(ServiceError, match="is gone in the middle of the run"):
        files.read(listed)


@pytest.mark.parametrize("number", [24, 28], ids=["no free descriptor", "no space"])
def test_what_the_machine_ran_out_of_is_no_documents_fault(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("x")

    def exhausted(_root: str, _path: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(loading, "open_below", exhausted)
    with pytest.raises(ServiceError, match="ran out of"):
        source(tmp_path).read(ref("a.md"))


class Down:
    """A source that lists and then cannot be reached."""

    name = "s"
    reads = 0

    def list(self) -> Listing:
        return Listing("s", ())

    def read(self, ref: DocumentRef, /) -> Document:
        self.reads += 1
        raise TransientError(f"{ref.path}: no route to host")


def test_an_outage_stops_the_run_instead_of_setting_every_document_aside() -> None:
    down = Down()
    sources: dict[str, Source] = {"s": down}
    waits: list[float] = []
    with pytest.raises(ServiceError, match=r"5 documents in a row.*no route to host"):
        load_window(sources, Nothing(), Refs([ref(f"{number}.md") for number in range(100)]), waits.append)
    assert down.reads == OUTAGE * 3
    assert all(0 <= seconds <= 1 for seconds in waits)
    assert len(load_window(sources, Nothing(), Refs([ref("1.md"), ref("2.md")]), waits.append).failures) == 2


class Busy(Down):
    """Asks for time once per document."""

    def __init__(self, wish: float) -> None:
        self.wish = wish
        self.asked: set[str] = set()

    def read(self, ref: DocumentRef, /) -> Document:
        self.reads += 1
        if ref.id not in self.asked:
            self.asked.add(ref.id)
            raise TransientError(f"{ref.path} answers 429", self.wish)
        return Document(ref, "There it is.")


def test_a_source_that_asks_for_time_gets_it() -> None:
    waits: list[float] = []
    found = load_window({"s": Busy(7)}, Nothing(), Refs([ref("1.md"), ref("2.md")]), waits.append)
    assert [document.ref.path for document in found.documents] == ["1.md", "2.md"]
    assert [7 <= seconds <= 8 for seconds in waits if seconds] == [True, True]


def test_a_source_that_asks_for_hours_is_not_waited_for() -> None:
    waits: list[float] = []
    busy = Busy(7200)
    assert len(load_window({"s": busy}, Nothing(), Refs([ref("1.md")]), waits.append).failures) == 1
    assert (busy.reads, sum(waits)) == (1, 0)


def test_whoever_has_seen_enough_ends_the_reading() -> None:
    def ended(_seconds: float) -> None:
        raise CancelledError

    down = Down()
    with pytest.raises(CancelledError):
        load_window({"s": down}, Nothing(), Refs([ref("1.md")]), ended)
    assert down.reads == 0


def loops(name: str, content: bytes) -> None:
    while content:
        time.sleep(0 if name else 1)


def eats(_name: str, content: bytes) -> None:
    held = [content]
    while True:
        held.append(bytes(50_000_000) + held[-1][:1])


def dies(_name: str, _content: bytes) -> None:
    os._exit(7)


def tells(_name: str, _content: bytes) -> None:
    raise ValueError(" ".join(f"{name}={value}" for name, value in os.environ.items()))


def dials(_name: str, content: bytes) -> None:
    import socket

    socket.create_connection(("127.0.0.1", int(content)), timeout=5)


@pytest.fixture
def process() -> Iterator[child.ParserProcess]:
    made = child.ParserProcess(memory_bytes=700_000_000)
    yield made
    made.close()


def test_a_parser_that_loops_is_ended_and_the_next_document_is_read() -> None:
    process = child.ParserProcess(seconds=6.0)
    with pytest.raises(DocumentError, match="more than 6 s") as caught:
        process.parse(f"{__name__}:loops", "loop.pdf", b"x")
    assert caught.value.reason == "parser-timeout"
    assert "A page" in process.parse("tasks.load.parse.pdf:parse_pdf", "a.pdf", pdf()).text
    process.close()


@pytest.mark.parametrize("bad", ["eats", "dies"])
def test_a_parser_that_dies_costs_one_document(process: child.ParserProcess, bad: str) -> None:
    with pytest.raises(DocumentError) as caught:
        process.parse(f"{__name__}:{bad}", "bad.docx", b"x")
    assert caught.value.reason in ("parser-failed", "parser-timeout")
    assert "A page" in process.parse("tasks.load.parse.office.docx:parse_docx", "a.docx", docx()).text


def test_a_parser_sees_no_secret(process: child.ParserProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with pytest.raises(DocumentError) as caught:
        process.parse(f"{__name__}:tells", "a.pdf", b"x")
    assert "PATH=" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_parser_is_replaced_after_so_many_documents() -> None:
    made = child.ParserProcess(documents=2)
    pids = []
    for _ in range(4):
        made.parse("tasks.load.parse.html:parse_html", "a.html", b"<p>x</p>")
        pids.append(made.pid)
    made.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]
