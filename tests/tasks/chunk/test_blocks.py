"""Tables, listings and lists that do not fit into one chunk."""

import re

import pytest

from config.embedders import HashingEmbedder
from config.pipeline import Chunking
from tasks.chunk.open import open_chunker
from tasks.embed.open import open_embedder
from tasks.records import Chunk, Document, DocumentId, DocumentRef, Format

WORDS = open_embedder(HashingEmbedder(kind="hashing")).tokenizer
PROSE = "Words of a paragraph that fill the page with some more words. "


def cut(text: str, form: Format = "markdown", max_tokens: int = 90, overlap: int = 0) -> list[Chunk]:
    chunker = open_chunker(Chunking(max_tokens=max_tokens, overlap_tokens=overlap), WORDS)
    chunks = chunker.split([Document(DocumentRef(DocumentId("s:d"), "s", "d"), text, form)])[0]
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.start + len(chunk.text)]
        assert chunk.tokens == WORDS.count([chunk.embedded])[0] <= max_tokens
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split()) or overlap
    return chunks


ROWS = [f"P-{n:03d} | {n * 7} bar | open. Valve {n} is shut" for n in range(60)]
TABLES = {
    "bars at both ends": ("| Pump | Limit | Rule |\n|---|:-:|--:|\n", [f"| {row} |" for row in ROWS]),
    "no bars at the ends": ("Pump | Limit | Rule\n--- | --- | ---\n", ROWS),
    "a bar at the front": ("| Pump | Limit | Rule\n|---|---|---\n", [f"| {row}" for row in ROWS]),
    "in a quote": ("> | Pump | Limit | Rule |\n> |---|---|---|\n", [f"> | {row} |" for row in ROWS]),
    "in a list": ("  | Pump | Limit | Rule |\n  |---|---|---|\n", [f"  | {row} |" for row in ROWS]),
    "one column": ("| Pump |\n|---|\n", [f"| P-{n} and its very own words here |" for n in range(60)]),
    "escaped bars": ("| Pump \\| x | Limit | Rule |\n|-|-|-|\n", [f"| {row} |" for row in ROWS]),
}


@pytest.mark.parametrize(
    "around", ["{}", f"# Limits\n\n{PROSE}\n{{}}\n{PROSE}\n", f"# L\n{PROSE}:\n\n{{}}after\n\n{PROSE}"]
)
@pytest.mark.parametrize("name", TABLES)
def test_every_part_of_a_table_has_its_header_and_whole_rows(name: str, around: str) -> None:
    header, rows = TABLES[name]
    chunks = cut(around.format(header + "\n".join(rows) + "\n"))
    parts = [chunk for chunk in chunks if any(row.strip() in chunk.text for row in rows)]
    assert len(parts) > 5
    assert all(header.strip() in chunk.stored for chunk in parts)
    assert sum(header.strip() in chunk.text for chunk in chunks) == 1
    whole = [line.strip() for chunk in parts for line in chunk.text.split("\n") if "P-" in line]
    assert whole == [row.strip() for row in rows]


LIST_ROWS = [f"   * - P-{n:03d}\n     - {n * 7} bar and open" for n in range(60)]
CELL_ROWS = [f"|P-{n:03d}\n|{n * 7} bar\nand open" for n in range(60)]
OTHER_TABLES: dict[str, tuple[Format, str, list[str], str]] = {
    "a list-table": ("rst", ".. list-table:: Limits\n\n   * - Pump\n     - Limit\n", LIST_ROWS, "- Pump\n     - Limit"),
    "a csv-table": (
        "rst", '.. csv-table::\n\n   "Pump", "Limit"\n\n', [f"   P-{n}, 7 bar" for n in range(60)], '"Pump", "Limit"',
    ),
    "a table of AsciiDoc": (
        "text", '[cols="1,2"]\n|===\n|Pump |Limit\n\n', [f"|P-{n} |{n * 7} bar" for n in range(60)], "|Pump |Limit",
    ),
    "cells below each other": ("text", "|===\n|Pump |Limit\n\n", CELL_ROWS, "|Pump |Limit"),
    "a table of Org": (
        "text", "| Pump | Limit |\n|------+-------|\n", [f"| P-{n} | {n} bar |" for n in range(60)], "| Pump | Limit |",
    ),
    "a table of a database": (
        "text", " Pump | Limit\n------+-------\n", [f" P-{n} | {n * 7} bar" for n in range(60)], "Pump | Limit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_TABLES)
def test_tables_of_other_formats_have_their_header_and_whole_rows(name: str) -> None:
    form, header, rows, told = OTHER_TABLES[name]
    closing = "|===\n" if "|===" in header else ""
    text = f"{PROSE}\n\n{header}" + "\n".join(rows) + f"\n{closing}\n{PROSE}\n"
    parts = [chunk for chunk in cut(text, form) if "P-" in chunk.text]
    assert len(parts) > 5
    assert all(told in chunk.stored for chunk in parts)
    assert all(sum(row.strip() in chunk.text for chunk in parts) == 1 for row in rows)


@pytest.mark.parametrize(
    ("first", "last"),
    [("[source,python]\n----", "----"), ("[source, python]\n......", "......"), ("#+BEGIN_SRC python", "#+end_src")],
)
def test_listings_of_other_formats_say_their_language(first: str, last: str) -> None:
    lines = "\n".join(f"    call_{n} = machine({n})" for n in range(60))
    parts = [chunk for chunk in cut(f"{PROSE}\n\n{first}\n{lines}\n{last}\n\nafter\n", "text") if "call_" in chunk.text]
    assert len(parts) > 3
    assert all(first in chunk.stored for chunk in parts)
    assert parts[2].text.startswith("    call_")


def test_a_header_is_told_once_where_the_chunk_begins_with_it() -> None:
    header, rows = TABLES["bars at both ends"]
    assert [chunk.repeated for chunk in cut(header + "\n".join(rows))][:2] == ["", header]


def test_two_tables_keep_their_own_headers() -> None:
    rows = "".join(f"| {n} | word{n} and more words |\n" for n in range(30))
    chunks = cut(f"| A | B |\n|---|---|\n{rows}\n| C | D |\n|---|---|\n{rows}")
    assert [bool(chunk.repeated) for chunk in chunks].count(False) <= 2
    at = next(n for n, chunk in enumerate(chunks) if "| C |" in chunk.text)
    assert {chunk.repeated[:5] for chunk in chunks[1:at]} == {"| A |"}
    assert {chunk.repeated[:5] for chunk in chunks[at + 1 :]} == {"| C |"}


def test_a_header_that_would_fill_the_chunk_and_one_without_words_are_left_out() -> None:
    wide = "| " + " | ".join(f"column {n}" for n in range(20)) + " |\n|" + "---|" * 20 + "\n"
    assert {chunk.repeated for chunk in cut(wide + "| a | b |\n" * 200)} == {""}
    assert {chunk.repeated for chunk in cut("|  |  |\n|---|---|\n" + "| some | words |\n" * 200)} == {""}


def test_a_row_that_is_too_long_alone_is_cut_between_words() -> None:
    row = "| " + "word " * 200 + "| x |\n"
    chunks = cut(f"| A | B |\n|---|---|\n{row}{row}")
    assert all(chunk.repeated or chunk.text.startswith("| A |") for chunk in chunks)


@pytest.mark.parametrize("overlap", [5, 12])
def test_an_overlap_inside_a_table_fits(overlap: int) -> None:
    header, rows = TABLES["bars at both ends"]
    assert len(cut(header + "\n".join(rows), overlap=overlap)) > 5


GRID = "+------+-------+\n| Pump | Limit |\n+======+=======+\n" + "".join(
    f"| P-{n:02d} | {n} bar |\n|      | shut  |\n+------+-------+\n" for n in range(40)
)
SIMPLE = (
    "====  =====\nPump  Limit\n====  =====\n" + "".join(f"P-{n:02d}  {n} bar\n" for n in range(90)) + "====  =====\n"
)


@pytest.mark.parametrize("table", [GRID, SIMPLE], ids=["grid", "simple"])
def test_tables_of_restructured_text_have_their_header_and_whole_rows(table: str) -> None:
    chunks = cut(f"{PROSE}\n\n{table}\n{PROSE}", "rst")
    parts = [chunk for chunk in chunks if "P-" in chunk.text]
    assert len(parts) > 3
    assert all("Pump" in chunk.stored and "Limit" in chunk.stored for chunk in parts)
    assert all(re.match(r"(Words|\+--|====|\| P-|P-)", chunk.text) for chunk in parts)


LINES = "".join(f"    step_{n} = call({n})\n" + "\n" * (n % 3 == 0) for n in range(60))


@pytest.mark.parametrize("fence", ["```python\n{}```", "~~~~ {{.python}}\n{}~~~~", "```python title='x'\n{}"])
def test_a_part_of_a_listing_knows_its_language_and_keeps_its_indentation(fence: str) -> None:
    chunks = cut(f"# Code\n\n{PROSE}\n\n{fence.format(LINES)}\n")
    parts = [chunk for chunk in chunks if "step_" in chunk.text and "python" not in chunk.text]
    assert len(parts) > 3
    assert {chunk.repeated for chunk in parts} == {fence.format("").split("\n")[0] + "\n"}
    assert all(chunk.text.startswith("    step_") for chunk in parts)


def test_a_fence_that_names_no_language_is_not_repeated() -> None:
    assert {chunk.repeated for chunk in cut(f"```\n{LINES}```\n")} == {""}


def test_a_code_block_of_restructured_text_likewise() -> None:
    chunks = cut(f"{PROSE}\n\n.. code-block:: python\n   :linenos:\n\n{LINES}\n{PROSE}\n", "rst")
    parts = [chunk for chunk in chunks if chunk.text.lstrip().startswith("step_")]
    assert len(parts) > 3
    assert {chunk.repeated for chunk in parts} == {".. code-block:: python\n\n"}
    assert all(chunk.text.startswith("    step_") for chunk in parts)


@pytest.mark.parametrize("item", ["- {}", "* {}", "{n}. {}", "{n}) {}", "\u2022 {}", "- {0}\n\n  {0}", "- {}\n"])
@pytest.mark.parametrize("form", ["markdown", "rst", "text"])
def test_the_items_of_a_long_list_keep_the_sentence_above_them(item: str, form: Format) -> None:
    items = "\n".join(item.format(f"Check the valve {n} and its oil.", n=n) for n in range(40))
    chunks = cut(f"{PROSE}\n\nBefore the first start of a pump:\n\n{items}\n\n{PROSE * 2}", form)
    parts = [chunk for chunk in chunks if "Check" in chunk.text]
    assert len(parts) > 5
    assert all("Before the first start of a pump:\n" in chunk.stored for chunk in parts)
    assert {chunk.repeated for chunk in chunks if chunk.text.startswith("Words")} == {""}


@pytest.mark.parametrize(
    ("above", "repeated"),
    [
        ("## Start\nDo this:\n", "Do this:\n"),
        (PROSE * 10 + "Then do this:\n", "Then do this:\n"),
        ("Do **this:**\n\n\n", "Do **this:**\n\n"),
        ("Do this.\n\n", ""),
        (":\n", ""),
        ("- Old pumps:\n", "- Old pumps:\n"),
    ],
)
def test_what_is_repeated_is_one_sentence_or_nothing(above: str, repeated: str) -> None:
    chunks = cut(f"{above}" + "".join(f"  - Check the valve {n} and its oil.\n" for n in range(40)))
    assert chunks[-1].repeated == repeated
