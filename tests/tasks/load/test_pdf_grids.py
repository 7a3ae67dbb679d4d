"""Tables of PDFs that are drawn with rules: a row is what stands between two of them."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from tasks.load.parse.pdf import parse_pdf
from tests.tasks.load.pdfs import DrawnPage, pdf_of

HEAD = ("Feature", "What it is", "Limit")
ROWS = (
    (("Refunds",), ("Goods may be returned", "within thirty days, with", "the receipt"), ("30 days, or 14", "on sale")),
    (("Warranty", "claims and", "repairs"), ("Covers all parts",), ("2 years",)),
    (("Delivery",), ("Free above 50 euros in", "all countries of the", "union"), ("5 working", "days")),
    (("Cards",), ("Valid for three inter-", "national years"), ("200 euros a", "card")),
)
TABLE = """\
| Feature | What it is | Limit |
| Refunds | Goods may be returned within thirty days, with the receipt | 30 days, or 14 on sale |
| Warranty claims and repairs | Covers all parts | 2 years |
| Delivery | Free above 50 euros in all countries of the union | 5 working days |
| Cards | Valid for three international years | 200 euros a card |"""
LEFTS = (70, 160, 330, 440)
TOP, HIGH = 690, 48


def text(*pages: DrawnPage) -> str:
    return parse_pdf("a.pdf", pdf_of(*pages)).text.removesuffix("\n")


def level(page: DrawnPage, *heights: float) -> DrawnPage:
    for height in heights:
        page.rule(LEFTS[0], height, LEFTS[-1], height)
    return page


def upright(page: DrawnPage, bottom: float) -> DrawnPage:
    for left in LEFTS:
        page.rule(left, TOP, left, bottom)
    return page


def framed(lefts: Sequence[float], heights: Sequence[float]) -> DrawnPage:
    """A page with rules around all cells between these places."""
    page = DrawnPage()
    for height in heights:
        page.rule(lefts[0], height, lefts[-1], height)
    for left in lefts:
        page.rule(left, heights[0], left, heights[-1])
    return page


def drawn(page: DrawnPage, lefts: Sequence[float], rows: Sequence[Sequence[str]]) -> str:
    """The rows, one below the other, as they are read."""
    for at, row in enumerate(rows):
        for left, cell in zip(lefts, row, strict=True):
            page.draw(left, 686 - 20 * at, cell)
    return text(page)


def words(page: DrawnPage, middle: float = 0) -> DrawnPage:
    """The cells, one after the other, at the top of their row or in its middle."""
    for column, name in enumerate(HEAD):
        page.draw(LEFTS[column] + 4, TOP - 14, name)
    for row, cells in enumerate(ROWS):
        for column, lines in enumerate(cells):
            top = TOP - 20 - HIGH * row - 12 - middle * (3 - len(lines)) * 7
            page.lines(LEFTS[column] + 4, top, *lines)
    return page


BOTTOM = TOP - 20 - HIGH * len(ROWS)
LEVELS = (TOP, *(TOP - 20 - HIGH * row for row in range(len(ROWS) + 1)))


def ruled(page: DrawnPage) -> DrawnPage:
    return upright(level(page, *LEVELS), BOTTOM)


def cell_by_cell(page: DrawnPage) -> DrawnPage:
    """Each side of each cell for itself, twice where two cells meet."""
    for above, below in pairwise(LEVELS):
        for left, right in pairwise(LEFTS):
            page.rule(left, above, right, above).rule(left, below, right, below)
            page.rule(left, above, left, below).rule(right, above, right, below)
    return page


def shaded(page: DrawnPage) -> DrawnPage:
    for row, (above, below) in enumerate(pairwise(LEVELS)):
        page.box(LEFTS[0], below, LEFTS[-1] - LEFTS[0], above - below, 0.8 if row % 2 else 0.95)
    return page


def level_alone(page: DrawnPage) -> DrawnPage:
    return level(page, *LEVELS[1:])


@pytest.mark.parametrize("middle", [0, 1])
@pytest.mark.parametrize("rules", [ruled, cell_by_cell, shaded, level_alone])
def test_a_row_is_what_stands_between_two_rules(rules: Callable[[DrawnPage], DrawnPage], middle: int) -> None:
    page = DrawnPage().draw(70, 740, "What holds for all orders is in the table below.")
    words(rules(page), middle).draw(70, BOTTOM - 40, "Questions are answered by phone.")
    assert text(page) == (
        f"What holds for all orders is in the table below.\n\n{TABLE}\n\nQuestions are answered by phone."
    )


@pytest.mark.parametrize("turn", range(4))
def test_a_turned_page_has_the_same_rows(turn: int) -> None:
    page = DrawnPage(f"/Rotate {90 * turn}" if turn else "")
    for height in range(4):
        page.rule(100, 600 - 60 * height, 400, 600 - 60 * height, turn)
    for left in (100, 250, 400):
        page.rule(left, 600, left, 420, turn)
    for row in range(3):
        page.draw(104, 585 - 60 * row, f"left {row}", turn=turn).draw(104, 570 - 60 * row, "goes on", turn=turn)
        page.draw(254, 575 - 60 * row, f"right {row}", turn=turn)
    assert text(page) == "\n".join(f"| left {row} goes on | right {row} |" for row in range(3))


def test_rows_without_a_rule_between_them_stay_rows() -> None:
    rows = [("Item", "Count", "Price"), *((f"Item {at}", "" if at == 4 else str(at), f"{at}.50") for at in range(1, 9))]
    page = framed((70, 230, 300, 400), (700, 680, 480))
    assert drawn(page, (74, 234, 304), rows) == "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_a_cell_over_several_rows_or_columns_stands_in_the_first() -> None:
    page = DrawnPage()
    for left, height in ((70, 700), (70, 680), (150, 660), (70, 640), (70, 620)):
        page.rule(left, height, 310, height)
    page.rule(70, 700, 70, 620).rule(150, 700, 150, 640).rule(230, 700, 230, 620).rule(310, 700, 310, 620)
    page.draw(74, 686, "Region").draw(154, 686, "Year").draw(234, 686, "Sales")
    page.draw(74, 656, "Europe").draw(154, 666, "2023").draw(234, 666, "5").draw(154, 646, "2024").draw(234, 646, "6")
    page.draw(74, 626, "Total of both years").draw(234, 626, "11")
    assert text(page) == (
        "| Region | Year | Sales |\n| Europe | 2023 | 5 |\n|  | 2024 | 6 |\n| Total of both years |  | 11 |"
    )


@pytest.mark.parametrize(
    ("rules", "lefts", "rows"),
    [
        ((150, 230, 310), (60, 154, 234), (("Item", "Count", "Price"), ("Nut", "1", "2.50"), ("Bolt", "3", "4"))),
        (
            (70, 150, 400),
            (74, 160, 300),
            (("Plan", "Day", "Night"), ("Free", "26.19", "57.86"), ("Team", "25.37", "58.40")),
        ),
        ((70, 161, 250), (144, 164), (("11", "11 pieces"), ("22", "22 pieces"), ("33", "33 pieces"))),
    ],
    ids=["a column beside the rules", "a gap between rules", "words close to a rule"],
)
def test_columns_are_those_of_rules_gaps_and_words_beside(
    rules: Sequence[int], lefts: Sequence[int], rows: Sequence[Sequence[str]]
) -> None:
    page = framed(rules, (700, 680, 660, 640))
    assert drawn(page, lefts, rows) == "\n".join(f"| {' | '.join(row)} |" for row in rows)


def test_boxes_of_prose_are_no_table() -> None:
    page, prose = DrawnPage(), []
    for height in (700, 500, 300):
        page.rule(50, height, 560, height)
    for left in (50, 305, 560):
        page.rule(left, 700, left, 300)
    for box in range(4):
        lines = [f"in box {box} line {at} says what is meant by it and goes" for at in range(13)]
        prose += lines
        page.lines(54 + 255 * (box % 2), 685 - 200 * (box // 2), *lines, size=9)
    assert "|" not in text(page)


def test_lines_of_a_chart_take_no_words_away() -> None:
    page = DrawnPage()
    for at in range(60):
        page.rule(100, 300 + 5 * at, 500, 300 + 5 * at).rule(100 + 6 * at, 300, 100 + 6 * at, 600)
    page.draw(110, 610, "Sales by year").draw(60, 450, "units").draw(150, 280, "2023").draw(300, 280, "2024")
    page.draw(200, 500, "peak")
    assert {*text(page).replace("|", " ").split()} == {"Sales", "by", "year", "units", "2023", "2024", "peak"}


def test_a_drawing_takes_time_in_proportion_to_its_lines() -> None:
    def seconds(lines: int) -> float:
        page = DrawnPage().draw(70, 700, "A map")
        for at in range(lines):
            page.rule(50 + at % 500, 50, 50 + at % 500, 600 - at % 7).rule(
                50, 50 + at % 500, 560 - at % 5, 50 + at % 500
            )
        content = pdf_of(page)
        start = time.process_time()
        assert parse_pdf("a.pdf", content).text == "A map\n"
        return time.process_time() - start

    seconds(10)
    assert min(seconds(8000) for _ in range(2)) < 12 * min(seconds(2000) for _ in range(3))
