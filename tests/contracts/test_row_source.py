"""What every source of rows promises, and a folder as well: documents come, change, are renamed, and go."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import DocumentError
from tasks.records import DocumentId
from tests.contracts.row_places import PAGES, ROWS, RowPlace, Servers, hints


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers() as started:
        yield started


@pytest.fixture(params=list(ROWS))
def mutable(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> RowPlace:
    made = ROWS[request.param](tmp_path, servers)
    for name, text in PAGES.items():
        made.write(name, text)
    return made


def test_what_is_added_is_listed_and_what_is_deleted_is_not(mutable: RowPlace) -> None:
    mutable.write("new.md", "# New\n")
    mutable.delete("sub/b.txt")
    listing = mutable.source.list()
    assert [ref.path for ref in listing.refs if ref.path != "skip.bin"] == ["a.md", "new.md", "sub/deep/c.md"]
    assert listing.failed == ()


def test_a_change_changes_one_hint_and_is_read(mutable: RowPlace) -> None:
    before = hints(mutable.source.list())
    mutable.write("a.md", "# Alpha\n\nOther text.\n")
    listing = mutable.source.list()
    after = hints(listing)
    assert [name for name in before if before[name] != after[name]] == ["a.md"]
    document = mutable.source.read(next(ref for ref in listing.refs if ref.path == "a.md"))
    assert (document.text, document.format) == ("# Alpha\n\nOther text.\n", "markdown")
    assert document.metadata["title"] == "Alpha"


def test_a_new_name_keeps_the_text(mutable: RowPlace) -> None:
    mutable.delete("a.md")
    mutable.write("b.md", PAGES["a.md"])
    listing = mutable.source.list()
    paths = [ref.path for ref in listing.refs if ref.path != "skip.bin"]
    assert paths == ["b.md", "sub/b.txt", "sub/deep/c.md"]
    assert mutable.source.read(listing.refs[0]).text == "# Alpha\n\nText.\n"


def test_two_listings_of_the_same_are_equal_and_every_document_is_read(mutable: RowPlace) -> None:
    first, second = mutable.source.list(), mutable.open().list()
    assert first == second
    assert len({ref.id for ref in first.refs}) == len(first.refs) >= 3
    assert [mutable.source.read(ref).ref for ref in first.refs] == list(first.refs)


def test_a_document_that_was_not_listed_is_a_document_error(mutable: RowPlace) -> None:
    ref = mutable.source.list().refs[0]._replace(id=DocumentId("s:never.md"), path="never.md")
    with pytest.raises(DocumentError, match=r"never\.md"):
        mutable.source.read(ref)


def test_a_source_that_is_away_lists_nothing_and_says_that_all_is_unknown(mutable: RowPlace) -> None:
    mutable.hide()
    listing = mutable.open().list()
    assert listing.refs == ()
    assert {scope.prefix for scope in listing.failed} == {"s:"}
