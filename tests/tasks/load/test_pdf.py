"""PDFs as a reader sees them: in order, in rows, with their numbers, and each word on its page."""

import random
import re
from collections.abc import Sequence

import pytest

from tasks.errors import DocumentError
from tasks.load.parse.pdf import parse_pdf
from tasks.load.parse.text import Parsed
from tasks.places import Places
from tests.tasks.load.pdfs import HEIGHT, WIDTH, DrawnPage, pdf_of


def read(
    *pages: DrawnPage, name: str = "a.pdf", title: str = "", catalog: str = "", parts: Sequence[str] = ()
) -> Parsed:
    return parse_pdf(name, pdf_of(*pages, title=title, catalog=catalog, parts=parts))


def text(*pages: DrawnPage) -> str:
    return read(*pages).text.strip()


Part = tuple[str, float, float]


def big(text: str) -> Part:
    return text, 12.0, 0.0


def up(text: str) -> Part:
    return text, 7.0, 4.5


def down(text: str) -> Part:
    return text, 7.0, -2.0


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((big("10"), up("6"), big(" units")), "10^6 units"),
        ((big("never 2"), up("10")), "never 2^10"),
        ((big("10"), up("-3"), big(" m/s")), "10^-3 m/s"),
        ((big("x"), up("2"), big("+y"), up("2"), big("=z"), up("2")), "x^2+y^2=z^2"),
        ((big("E=mc"), up("2"), big(".")), "E=mc^2."),
        ((big("10"), up("6"), big("/10"), up("3")), "10^6/10^3"),
        ((big("110"), down("2"), big(" is six")), "110_2 is six"),
        ((big("H"), down("2"), big("O")), "H2O"),
        ((big("See annex"), up("12"), big(", and more")), "See annex^12, and more"),
        ((up("12"), big("The annex")), "12 The annex"),
        ((up("14"), big("C dating")), "^14C dating"),
        ((big("the 1"), up("st"), big(" class")), "the 1st class"),
        ((big("word "), up("3"), big(" next")), "word^3 next"),
    ],
)
def test_a_raised_number_never_becomes_a_part_of_another(parts: Sequence[Part], expected: str) -> None:
    assert text(DrawnPage().mixed(72, 700, *parts)) == expected


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_number_that_is_drawn_apart_is_raised_on_a_turned_page_too(turn: int) -> None:
    page = DrawnPage(f"/Rotate {90 * turn}").draw(72, 500, "never 10", turn=turn)
    page.draw(118.7, 504.5, "6", 7, turn).draw(126, 500, "units", turn=turn)
    assert text(page) == "never 10^6 units"


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ("\ufb01lter o\ufb03ce e\ufb00ort", "filter office effort"),
        ("m\u00b2 \u00bd \u2122 \u2460 \uff21 \u2126", "m\u00b2 \u00bd \u2122 \u2460 \uff21 \u2126"),
        ("\u2f00\u2f08", "\u4e00\u4eba"),
        ("\U0001d465 \U0001d7cf", "x 1"),
        # Drawn from left to right, as every page is; read from the right.
        ("\u0645\u0627\u0645\u0635\u0644\u0627 \u062d\u062a\u0641\u062a \u0644\u0627"[::-1], None),
    ],
)
def test_forms_of_letters_are_letters_and_signs_stay_signs(drawn: str, expected: str | None) -> None:
    shown = text(DrawnPage().draw(72, 700, drawn))
    assert shown == expected if expected else set(shown) == set(drawn)


def test_a_line_that_runs_to_the_left_is_read_so_with_its_numbers() -> None:
    line = "\u05d4\u05e9\u05e1\u05ea\u05d5\u05dd \u05e0\u05e4\u05ea\u05d7 70 \u05d1\u05e8"
    drawn = " ".join(word if word.isdigit() else word[::-1] for word in reversed(line.split()))
    assert text(DrawnPage().draw(72, 700, drawn)) == line


def test_words_broken_over_lines_are_whole_and_compounds_keep_their_hyphen() -> None:
    lines = (
        "The well-known pre-",
        "trained, state-of-the-",
        "art model for COVID-",
        "19 counts in-",
        "put and",
        "out-",
    )
    more = ("put; input- or out-", "put of the well-", "known kind.")
    assert re.sub(r"\s+", " ", text(DrawnPage().lines(72, 700, *lines, *more))) == (
        "The well-known pretrained, state-of-the-art model for COVID-19 counts input and output;"
        " input- or output of the well-known kind."
    )


def test_a_broken_word_in_another_script_is_whole() -> None:
    page = DrawnPage().lines(72, 700, "f\u00fcr die Her-", "stellung der \u00d6le")
    assert text(page) == "f\u00fcr die Herstellung\nder \u00d6le"


def test_a_symbol_of_a_taller_font_raises_no_word_beside_it() -> None:
    page = DrawnPage()
    page.operators.append("BT 72 700 Td /F1 12 Tf (if x) Tj /F4 12 Tf (e) Tj /F1 12 Tf (10 is so) Tj ET")
    tall = "/F4 << /Type /Font /Subtype /Type1 /BaseFont /Symbol /FirstChar 101 /LastChar 101 /Widths [439]"
    descriptor = "/Type /FontDescriptor /FontName /Symbol /Flags 4 /Ascent 2500 /Descent -1800 /ItalicAngle 0"
    page.more = f"/Resources << /Font << /F1 3 0 R {tall} /FontDescriptor << {descriptor} >> >> >> >>"
    assert "^" not in text(page)


def test_a_word_broken_over_a_page_is_whole_and_its_sentence_one_paragraph() -> None:
    first = DrawnPage().lines(72, 700, "The valve is opened by the", "oper-")
    parsed = read(first, DrawnPage().lines(72, 700, "ator once a week, and", "closed again.", "", "Another one."))
    assert parsed.text == "The valve is opened by the\noperator\nonce a week, and\nclosed again.\n\nAnother one.\n"
    assert Places(parsed.places).between(parsed.text.index("opened"), parsed.text.index("week"))["page"] == [1, 2]


ROWS = (("Pump", "Bar", "Litre"), ("P1", "10", "200"), ("P2", "12", ""), ("P3", "", "90"))
TABLE = "| Pump | Bar | Litre |\n| P1 | 10 | 200 |\n| P2 | 12 |  |\n| P3 |  | 90 |"


@pytest.mark.parametrize("times", [1, 8])
@pytest.mark.parametrize("order", ["rows", "columns"])
def test_an_empty_cell_moves_no_value_to_another_row_or_column(order: str, times: int) -> None:
    cells = [(row, column) for row in range(4 * times) for column in range(3)]
    page = DrawnPage()
    for row, column in sorted(cells, key=lambda cell: cell if order == "rows" else cell[::-1]):
        page.draw(72 + 100 * column, 700 - 20 * row, ROWS[row % 4][column])
    assert text(page) == "\n".join([TABLE] * times)


def test_a_cell_of_two_lines_is_one_cell_of_its_row() -> None:
    page = DrawnPage().draw(72, 700, "P1").draw(272, 700, "200").draw(72, 670, "P2").draw(272, 670, "90")
    page.lines(72, 640, "P3 with a name", "that is long").draw(272, 632.8, "70").draw(72, 600, "P4").draw(
        272, 600, "60"
    )
    assert text(page) == "| P1 | 200 |\n| P2 | 90 |\n| P3 with a name that is long | 70 |\n| P4 | 60 |"


def test_lines_of_a_long_cell_are_one_row() -> None:
    page = DrawnPage()
    for at, (part, words) in enumerate(
        (("Seal", "Replace it every"), ("Oil", "Change the oil at"), ("Belt", "Mend it at"))
    ):
        page.draw(72, 700 - 36 * at, part).lines(200, 700 - 36 * at, words, "400 hours")
    assert text(page) == (
        "| Seal | Replace it every 400 hours |\n| Oil | Change the oil at 400 hours |\n| Belt | Mend it at 400 hours |"
    )


def test_two_long_cells_stay_together_and_are_no_columns() -> None:
    page, cells = DrawnPage(), []
    for at in range(3):
        for column in range(2):
            cells += [f"cell {at} of the column {column} has words", f"and goes on with the words {at} {column}"]
            page.lines(50 + 270 * column, 700 - 50 * at, *cells[-2:])
    assert text(page).split() == " ".join(cells).split()


def test_numbers_below_each_other_stay_two_numbers() -> None:
    page = DrawnPage()
    for at, (name, count, price) in enumerate((("Alpha", "1", "22.50"), ("Gamma", "333", ""), ("", "4", "1.25"))):
        page.draw(72, 700 - 14 * at, name).draw(160 - 6.67 * len(count), 700 - 14 * at, count)
        page.draw(240 - 6 * len(price), 700 - 14 * at, price)
    assert text(page) == "| Alpha | 1 | 22.50 |\n| Gamma | 333 |  |\n|  | 4 | 1.25 |"


def test_justified_prose_is_no_table() -> None:
    page = DrawnPage().draw(60, 700, "Keywords").draw(150, 700, "pumps, valves, seals and so on, as far as the")
    page.draw(60, 686, "Words that go over the whole of the line without any wide gap in it")
    page.draw(60, 672, "General").draw(120, 672, "and more of them, which are as long as those above")
    page.draw(60, 658, "Another line that goes over the whole width of the column of text")
    assert "|" not in text(page)


def test_dots_that_lead_to_a_number_are_short() -> None:
    assert text(DrawnPage().draw(72, 700, "1 The pump " + ". " * 30 + "12")) == "1 The pump ... 12"


def test_a_list_with_hanging_numbers_is_no_table() -> None:
    page = DrawnPage()
    for number in range(1, 4):
        page.draw(72, 700 - 15 * number, f"{number}.").draw(108, 700 - 15 * number, f"the item {number}")
    assert text(page) == "1.  the item 1\n2.  the item 2\n3.  the item 3"


LEFT = [f"left words of the line number {number} go on" for number in range(30)]
RIGHT = [f"right words of the line number {number} go on" for number in range(30)]


@pytest.mark.parametrize("order", ["columns", "lines"])
def test_columns_are_read_one_after_the_other(order: str) -> None:
    page = DrawnPage()
    if order == "columns":
        page.lines(50, 700, *LEFT).lines(320, 700, *RIGHT)
    else:
        for number, pair in enumerate(zip(LEFT, RIGHT, strict=True)):
            for column, line in enumerate(pair):
                page.draw(50 + 270 * column, 700 - 14.4 * number, line)
    assert re.sub(r"\s+", " ", text(page)) == " ".join(LEFT + RIGHT)


NARROW = ("The pump is instal-", "led in the base-", "ment of the plant.", "It moves water.")
BESIDE = ("Right words start", "here and go on", "to the end of the", "page with words.")
PAIRS = (("Open the valve", "Drain it"), ("Close the lid", "Heat it"), ("Call the desk", "Wait"))


def test_narrow_columns_of_prose_are_no_table() -> None:
    page = DrawnPage().draw(60, 740, "Report", 20).lines(60, 700, *NARROW).lines(260, 700, *BESIDE)
    whole = " ".join([*NARROW, *BESIDE]).replace("- ", "")
    assert " ".join(text(page).split()) == f"Report {whole}"
    table = DrawnPage().lines(60, 700, *(left for left, _ in PAIRS)).lines(260, 700, *(right for _, right in PAIRS))
    assert text(table).split("\n") == [f"| {left} | {right} |" for left, right in PAIRS]


def test_a_raised_number_that_is_drawn_after_its_line_is_raised() -> None:
    page = DrawnPage().lines(72, 700, "It moves 10", "litres an hour.").draw(134.2, 705, "6", 7)
    assert text(page) == "It moves 10^6\nlitres an hour."


def test_paragraphs_are_apart_and_lines_stay_lines() -> None:
    page = DrawnPage().lines(72, 700, "First one", "goes on.").lines(72, 650, "Second one.")
    page.lines(72, 600, "A title", size=20).lines(72, 560, "Below it,", "    indented")
    assert text(page) == "First one\ngoes on.\n\nSecond one.\n\nA title\n\nBelow it,\nindented"


def test_running_headers_and_page_numbers_are_in_the_text_once_and_told() -> None:
    pages = [
        DrawnPage()
        .draw(72, 760, "Handbook of pumps")
        .draw(72, 700, f"Words of {name}.")
        .draw(72, 30, "Draft")
        .draw(300, 30, f"Page {number} of 5")
        for number, name in enumerate(("one", "two", "three", "four", "five"), 1)
    ]
    parsed = read(*pages)
    assert parsed.text.count("Handbook") == parsed.text.count("Page") == 1
    assert all(f"Words of {name}." in parsed.text for name in ("one", "two", "three", "four", "five"))
    assert parsed.remarks == ("8 repeated headers, footers and page numbers are left out",)


@pytest.mark.parametrize("factor", [1, 7])
def test_what_differs_from_page_to_page_is_no_running_header(factor: int) -> None:
    parsed = read(
        *(DrawnPage().draw(72, 760, f"Serial number {number * factor}").draw(72, 600, "x") for number in range(1, 6))
    )
    assert parsed.text.count("Serial number") == 5
    assert parsed.remarks == ()


FORM = ("<< /Fields [10 0 R 11 0 R 12 0 R 13 0 R] /DA (/F1 12 Tf) >>",)


def field(kind: str, box: tuple[int, int, int, int], more: str) -> str:
    return f"<< /Type /Annot /Subtype /Widget /FT /{kind} /Rect [{' '.join(map(str, box))}] /F 4 {more} >>"


def test_what_people_typed_and_ticked_stands_at_its_label() -> None:
    page = DrawnPage(annotations=["10 0 R", "11 0 R", "12 0 R", "13 0 R"])
    page.draw(72, 700, "Applicant:").draw(72, 670, "Class:").draw(90, 640, "approved").draw(90, 610, "refused")
    parts = (
        field("Tx", (150, 695, 350, 715), "/T (name) /V (Erika Muster)"),
        field("Ch", (150, 665, 250, 685), "/T (class) /Ff 131072 /Opt [(A) (B)] /V (B)"),
        field("Btn", (70, 638, 84, 652), "/T (ok) /V /Yes /AS /Yes /AP << /N << /Yes 14 0 R /Off 14 0 R >> >>"),
        field("Btn", (70, 608, 84, 622), "/T (no) /V /Off /AS /Off /AP << /N << /Yes 14 0 R /Off 14 0 R >> >>"),
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 0 >>\nstream\n\nendstream",
    )
    parsed = read(page, catalog=f"/AcroForm {FORM[0]}", parts=parts)
    assert parsed.remarks == (), "a value is no hidden letter"
    shown = parsed.text
    for row in ("Applicant:.{1,4}Erika Muster", "Class:.{1,4}B", r"\[x\].{1,4}approved", r"\[ \].{1,4}refused"):
        assert re.search(row, shown), row


def test_a_note_is_in_the_text_and_a_link_or_a_hidden_one_is_not() -> None:
    kinds = ("/Subtype /Text", "/Subtype /Popup", "/Subtype /Link", "/Subtype /Text /F 2", "/Subtype /FreeText")
    page = DrawnPage(annotations=[f"{10 + at} 0 R" for at in range(5)]).draw(72, 700, "A page.")
    parts = [f"<< /Type /Annot {kind} /Rect [9 9 99 29] /Contents (note {at}) >>" for at, kind in enumerate(kinds)]
    assert read(page, parts=parts).text == "A page.\n\nnote 0\n\nnote 4\n"
    assert read(DrawnPage(annotations=["10 0 R", "14 0 R"]), parts=parts).text == "note 0\n\nnote 4\n"
    marked = DrawnPage(annotations=["10 0 R"]).draw(72, 700, "The note 0 is marked.")
    assert read(marked, parts=parts).text == "The note 0 is marked.\n"


def test_the_outline_gives_headings_where_they_stand() -> None:
    first = (
        DrawnPage()
        .draw(72, 700, "1 The pump")
        .draw(72, 660, "Words.")
        .draw(72, 620, "1.1 Its seal")
        .draw(72, 580, "More.")
    )
    second = DrawnPage().draw(72, 700, "Something of another name").draw(72, 660, "Last.")
    parts = (
        "<< /Type /Outlines /First 11 0 R /Last 13 0 R /Count 3 >>",
        "<< /Title (1 The pump) /Parent 10 0 R /Next 13 0 R /First 12 0 R /Last 12 0 R /Dest [100 0 R /Fit] >>",
        "<< /Title (Its seal) /Parent 11 0 R /Dest [100 0 R /XYZ 72 632 0] >>",
        "<< /Title (The end) /Parent 10 0 R /Dest [104 0 R /XYZ 72 675 0] >>",
    )
    parsed = read(first, second, catalog="/Outlines 10 0 R", parts=parts)
    assert [(heading.level, heading.title) for heading in parsed.headings or ()] == [
        (1, "1 The pump"), (2, "Its seal"), (1, "The end"),
    ]  # fmt: skip
    starts = [parsed.text[heading.start :].split("\n")[0] for heading in parsed.headings or ()]
    assert starts == ["1 The pump", "1.1 Its seal", "Last."]


@pytest.mark.parametrize(
    ("stated", "title"),
    [
        ("Pump handbook", "Pump handbook"),
        ("untitled", "The largest line"),
        ("Microsoft Word - draft_3.docx", "The largest line"),
        ("report-final.PDF", "The largest line"),
        ("a", "The largest line"),
        ("PowerPoint-Pr\u00e4sentation", "The largest line"),
        ("C:\\users\\me\\plan.doc", "The largest line"),
        ("", "The largest line"),
        ("2019 Annual Report", "2019 Annual Report"),
    ],
)
def test_a_title_that_says_nothing_is_not_believed(stated: str, title: str) -> None:
    page = DrawnPage().draw(72, 700, "The largest line", 24).lines(72, 600, "Small words", "below it.")
    assert read(page, title=stated).title == title


def test_pages_without_text_are_named_and_shift_no_number() -> None:
    pages = [DrawnPage() for _ in range(9)]
    pages[0].draw(72, 700, "First.")
    pages[4].draw(72, 700, "Fifth.")
    parsed = read(*pages)
    assert parsed.remarks == ("7 of 9 pages have no text layer: pages 2-4, 6-9",)
    assert Places(parsed.places).between(parsed.text.index("Fifth"), len(parsed.text))["page"] == [5]


@pytest.mark.parametrize(
    "garbage", ["\ufffd" * 9, "\uf041\uf042\uf043 \uf044", "/G12/G01/G22 /G03/G04", "(cid:12)(cid:7) (cid:44)"]
)
def test_a_text_layer_without_meaning_is_no_text(garbage: str) -> None:
    parsed = read(DrawnPage().draw(72, 700, "Cover."), DrawnPage().draw(72, 700, garbage))
    assert parsed.text == "Cover.\n"
    assert parsed.remarks == ("1 of 2 pages has a text layer without meaning: page 2",)
    with pytest.raises(DocumentError, match=r"without meaning.*OCR") as caught:
        read(DrawnPage().draw(72, 700, garbage))
    assert caught.value.reason == "no-text"


def test_a_line_without_meaning_is_left_out_and_counted() -> None:
    page = DrawnPage().lines(72, 700, "Words that are read.", "More of them.").draw(72, 600, "\uf041\uf042\uf043\uf044")
    parsed = read(page)
    assert parsed.text == "Words that are read.\nMore of them.\n"
    assert parsed.remarks == ("4 letters of unknown meaning missing: page 1",)


def test_letters_in_a_font_that_the_file_does_not_hold_are_named() -> None:
    page = DrawnPage().draw(72, 700, "Cover.")
    page.operators += ["BT /F2 12 Tf 72 650 Td <82a082a2> Tj ET"] * 3
    font = "<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin /Encoding /90ms-RKSJ-H /DescendantFonts [11 0 R] >>"
    system = "/CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >>"
    parts = (font, f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin {system} >>")
    parsed = parse_pdf("a.pdf", pdf_of(page, parts=parts).replace(b"/F2 102 0 R", b"/F2  10 0 R"))
    assert parsed.text == "Cover.\n" or "\u3042\u3044" in parsed.text
    lost = ("1 of 1 pages has text in fonts that are not in the file, and missing: page 1",)
    assert parsed.remarks == (() if "\u3042\u3044" in parsed.text else lost)


def test_what_stands_outside_of_the_page_is_seen_by_nobody() -> None:
    page = DrawnPage("/CropBox [50 50 500 740]").draw(72, 700, "seen").draw(510, 700, "beside").draw(72, 760, "above")
    assert text(page.draw(-300, 600, "far")) == "seen"


def test_a_letter_drawn_twice_for_bold_is_there_once() -> None:
    assert (
        text(DrawnPage().draw(72, 700, "Bold words").draw(72.3, 700, "Bold words").draw(72, 686, "end"))
        == "Bold words\nend"
    )


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_rectangle_is_where_the_viewer_finds_the_line(turn: int) -> None:
    page = DrawnPage(f"/Rotate {90 * turn} /CropBox [10 10 600 780]").draw(100, 300, "Words on a line", turn=turn)
    parsed = read(page)
    [rectangle] = Places(parsed.places).between(0, 5)["rectangle"]
    number, left, bottom, right, top = map(float, str(rectangle).split())
    corners = ((100, 300), (WIDTH - 300, 100), (WIDTH - 100, HEIGHT - 300), (300, HEIGHT - 100))[turn]
    assert number == 1
    assert left - 4 <= corners[0] <= right + 4
    assert bottom - 4 <= corners[1] <= top + 4
    assert sorted((right - left, top - bottom)) == pytest.approx([13, 86], abs=4)


WORDS = [
    f"{first}{second}{third}"
    for first in ("ka", "lo", "mi", "ne")
    for second in "bdfgk"
    for third in ("ran", "sol", "tup")
]


def made_page(chance: random.Random, number: int) -> tuple[DrawnPage, list[str]]:
    """A page of paragraphs, of two columns or of a table, and its words in order; each has the page's number in it."""
    page = DrawnPage()
    words = iter(f"{chance.choice(WORDS)}x{number}x{at}" for at in range(1000))
    used: list[str] = []

    def some(count: int) -> str:
        used.extend(next(words) for _ in range(count))
        return " ".join(used[-count:])

    kind = chance.choice(["paragraphs", "columns", "table"])
    if kind == "paragraphs":
        page.lines(60, 720, *(some(4) for _ in range(chance.randint(2, 40))))
    elif kind == "columns":
        count = chance.randint(3, 35)
        page.lines(40, 720, *(f"{some(2)} is so" for _ in range(count)))
        page.lines(320, 720, *(f"{some(2)} is so" for _ in range(count)))
    else:
        for row in range(chance.randint(2, 25)):
            for column in range(4):
                if column == 0 or row == 0 or chance.random() < 0.8:
                    page.draw(50 + 130 * column, 720 - 18 * row, some(1))
    return page, used


def test_every_word_of_made_documents_is_there_in_order_and_on_its_page() -> None:
    chance = random.Random(18)
    right = total = 0
    for _ in range(12):
        made = [made_page(chance, number) for number in range(1, 13)]
        parsed = read(*(page for page, _ in made))
        shown = [match for match in re.finditer(r"\w+", parsed.text) if match.group() not in ("is", "so")]
        assert [match.group() for match in shown] == [word for _, words in made for word in words]
        places = [Places(parsed.places).between(match.start(), match.end())["page"] for match in shown]
        right += sum(place == [int(match.group().split("x")[-2])] for place, match in zip(places, shown, strict=True))
        total += len(shown)
    assert total > 5000
    assert right >= 0.999 * total


def test_white_words_are_read_where_their_ground_shows_them_and_named_where_not() -> None:
    page = DrawnPage().draw(72, 700, "Seen in black.")
    page.operators.append("0.2 g 60 590 300 30 re f 1 g")
    page.draw(72, 600, "White on grey.").draw(72, 500, "White on white.")
    page.operators.append("0 g")
    parsed = read(page.draw(72, 400, "Black again."))
    assert parsed.text.split("\n") == ["Seen in black.", "", "White on grey.", "", "Black again.", ""]
    assert parsed.remarks == ("13 letters without colour or ink are left out: page 1",)


def test_words_without_ink_are_out_where_they_lie_on_no_scan() -> None:
    page = DrawnPage().draw(72, 700, "Seen in black.")
    page.operators.append("3 Tr")
    page.draw(72, 600, "Without ink.")
    page.operators.append("0 Tr")
    parsed = read(page.draw(72, 400, "Black again."))
    assert parsed.text.split("\n\n") == ["Seen in black.", "Black again.\n"]
    assert parsed.remarks == ("11 letters without colour or ink are left out: page 1",)
