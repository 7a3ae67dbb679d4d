"""Presentations, spreadsheets, OpenDocument and RTF: what a reader sees, in order, at its place."""

import io
import random
import re
import zipfile
from collections.abc import Callable

import pytest

from tasks.errors import DocumentError
from tasks.load.parse.office.docx import parse_docx
from tasks.load.parse.office.odf import parse_odf
from tasks.load.parse.office.pptx import parse_pptx
from tasks.load.parse.office.rtf import parse_rtf
from tasks.load.parse.office.xls import parse_xls
from tasks.load.parse.office.xlsx import parse_xlsx
from tasks.load.parse.signature import check_signature
from tasks.load.parse.text import Parsed
from tasks.places import Places
from tests.tasks.load.bad_inputs import OLE
from tests.tasks.load.office_files import SHEET, cell, docx, odf, paragraph, pptx, relations, shape, xls, xlsx, xml


def place(document: Parsed, text: str) -> dict[str, object]:
    start = document.text.index(text)
    return dict(Places(document.places).between(start, start + len(text)))


def test_slides_are_read_in_order_with_titles_notes_and_tables() -> None:
    row = "".join(f"<a:tc><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>" for text in ("a", "b"))
    table = (
        '<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="1" name="t"/></p:nvGraphicFramePr><p:xfrm>'
        f'<a:off x="0" y="9000000"/></p:xfrm><a:graphic><a:tbl><a:tr>{row}</a:tr><a:tr>{row}</a:tr></a:tbl>'
        "</a:graphic></p:graphicFrame>"
    )
    first = (
        table
        + shape("right", top=1_000_000, left=5_000_000)
        + shape("left", top=1_050_000)
        + shape("one\ntwo", "body", top=3_000_000)
        + shape("Pumps", "title", top=500_000)
        + shape("4", "sldNum")
        + shape("ACME", "ftr", top=9_900_000)
    )
    second = shape("No title here", top=5) + shape("ACME", "ftr", top=9)
    hidden = xml("p:sld", f"<p:cSld><p:spTree>{shape('secret')}</p:spTree></p:cSld>", 'show="0"')
    notes = xml("p:notes", f"<p:cSld><p:spTree>{shape('Say hello.', 'body')}</p:spTree></p:cSld>")
    parts = {
        "slides___rels__slide1.xml.rels": relations(("notesSlide", "../notesSlides/notes1.xml")),
        "notesSlides__notes1.xml": notes,
    }
    document = parse_pptx("a.pptx", pptx(first, hidden, second, **parts))
    assert document.text == (
        "# Pumps\n\nleft\n\nright\n\n- one\n- two\n\n| a | b |\n| --- | --- |\n| a | b |\n\nACME\n\nSay hello.\n\n"
        "No title here\n"
    )
    assert document.title == "Pumps"
    assert [(one.level, one.title) for one in document.headings or ()] == [(1, "Pumps"), (1, "")]
    assert place(document, "Say hello.") == {"slide": [1]}
    assert place(document, "No title here") == {"slide": [3]}
    assert document.remarks == ("1 hidden slide is left out",)


def test_a_group_a_field_and_a_power_are_read_on_a_slide() -> None:
    text = (
        '<a:p><a:r><a:t>10</a:t></a:r><a:r><a:rPr baseline="30000"/><a:t>6</a:t></a:r><a:br/>'
        '<a:fld type="datetime1"><a:t>May</a:t></a:fld><a:fld type="slidenum"><a:t>4</a:t></a:fld>'
        "<mc:AlternateContent><mc:Choice><a14:m><m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath></a14:m></mc:Choice>"
        "<mc:Fallback><a:r><a:t>old</a:t></a:r></mc:Fallback></mc:AlternateContent></a:p>"
    )
    box = shape("X").replace("<a:p><a:r><a:t>X</a:t></a:r></a:p>", text)
    group = f'<p:grpSp><p:nvGrpSpPr><p:cNvPr id="1" name="g"/></p:nvGrpSpPr><p:grpSpPr/>{box}</p:grpSp>'
    assert parse_pptx("a.pptx", pptx(group)).text == "10^6\nMayx=1\n"


FORMATS = (
    "0.00%",
    '0.0,,"M"',
    "#,##0.00,",
    "00000",
    '#,##0.00 "EUR"',
    "yyyy-mm-dd",
    "h:mm",
    "0.0",
    "[h]:mm:ss",
    "#,##0;(#,##0)",
    "General",
    "0,",
)
STYLES = (
    "<numFmts>"
    + "".join(f"<numFmt numFmtId='{164 + at}' formatCode='{code}'/>" for at, code in enumerate(FORMATS))
    + "</numFmts><cellXfs>"
    + "".join(f'<xf numFmtId="{164 + at}"/>' for at in range(len(FORMATS)))
    + '<xf numFmtId="14"/></cellXfs>'
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        ("0.125", "0.00%", "12.50%"),
        ("2500000", '0.0,,"M"', "2.5M"),
        ("1234567", "#,##0.00,", "1,234.57"),
        ("1234", "00000", "01234"),
        ("1234.5", '#,##0.00 "EUR"', "1,234.50 EUR"),
        ("45352", "yyyy-mm-dd", "2024-03-01"),
        ("0.75", "h:mm", "18:00"),
        ("2.25", "0.0", "2.3"),
        ("1.5", "[h]:mm:ss", "36:00:00"),
        ("-1200", "#,##0;(#,##0)", "(1,200)"),
        ("0.30000000000000004", "General", "0.3"),
        ("1234567890123456", "General", "1234567890123456"),
        ("3", "General", "3"),
        ("12000", "0,", "12"),
        ("45352", "14", "2024-03-01"),
    ],
)
def test_a_number_is_what_a_reader_of_the_sheet_sees(value: str, form: str, shown: str) -> None:
    style = len(FORMATS) if form == "14" else FORMATS.index(form)
    sheet = f'<sheetData><row r="1"><c r="A1" s="{style}"><v>{value}</v></c></row></sheetData>'
    assert parse_xlsx("a.xlsx", xlsx(sheet, styles=STYLES)).text == f"# Sheet 1\n\n{shown}\n"


def rows(*texts: tuple[str, ...], first: int = 1, attributes: str = "") -> str:
    return "".join(
        f'<row r="{number}" {attributes}>'
        + "".join(cell(f"{chr(65 + column)}{number}", text) for column, text in enumerate(row) if text)
        + "</row>"
        for number, row in enumerate(texts, first)
    )


def test_sheets_keep_their_rows_and_each_row_its_cells() -> None:
    table = rows(("Prices",), ("Pump", "Bar"), ("P1", "10"), ("P2", "90"))
    sheet = f"<sheetData>{table}{rows(('Note',), first=9)}</sheetData>"
    row = rows(("c",), first=2, attributes='hidden="1"')
    hidden = f"<cols><col min='2' max='2' hidden='1'/></cols><sheetData>{rows(('a', 'b'))}{row}</sheetData>"
    document = parse_xlsx("a.xlsx", xlsx(sheet, "<sheetData/>", hidden, hidden, states=("visible",) * 3 + ("hidden",)))
    assert document.text == (
        "# Sheet 1\n\nPrices\n\n| Pump | Bar |\n| --- | --- |\n| P1 | 10 |\n| P2 | 90 |\n\nNote\n\n# Sheet 3\n\na\n"
    )
    assert place(document, "| P2 | 90 |") == {"sheet": ["Sheet 1"], "cells": "A4:B4"}
    assert place(document, "| P1 | 10 |\n| P2 | 90 |") == {"sheet": ["Sheet 1"], "cells": "A3:B4"}
    assert place(document, "# Sheet 3") == {"sheet": ["Sheet 3"], "cells": "A1"}
    assert document.remarks == (
        "1 hidden row is left out",
        "1 sheet has hidden columns, which are left out",
        "1 hidden sheet is left out",
    )


def test_a_formula_that_was_never_computed_is_named() -> None:
    document = parse_xlsx("a.xlsx", xlsx("<sheetData><row><c><f>1+1</f></c><c><f>2</f><v>2</v></c></row></sheetData>"))
    assert document.text.endswith("\n\n2\n")
    assert document.remarks == ("1 formula has no stored value",)


def test_characters_that_xml_does_not_take_are_read() -> None:
    sheet = f"<sheetData>{rows(('up_x000D_&#10;down', '_x005F_x0041_'))}</sheetData>"
    assert parse_xlsx("a.xlsx", xlsx(sheet)).text == "# Sheet 1\n\nup\ndown: _x0041_\n"


def test_a_wide_table_is_written_as_names_and_values() -> None:
    names, values = (tuple(f"{kind}{number}" for number in range(20)) for kind in ("name", "value"))
    document = parse_xlsx("a.xlsx", xlsx(f"<sheetData>{rows(names, values)}</sheetData>"))
    assert "name3: value3\nname4: value4\n" in document.text
    assert place(document, "name3: value3") == {"sheet": ["Sheet 1"], "cells": "A2:T2"}


def test_a_sheet_with_a_cell_in_its_last_corner_is_small() -> None:
    sheet = f'<sheetData>{rows(("first",))}<row r="1048576">{cell("XFD1048576", "last")}</row></sheetData>'
    document = parse_xlsx("a.xlsx", xlsx(sheet))
    assert document.text == "# Sheet 1\n\nfirst\n\nlast\n"
    assert place(document, "last")["cells"] == "XFD1048576"


def test_shared_texts_formulas_errors_and_truth_are_shown() -> None:
    row = "<c t='s'><v>1</v></c><c t='str'><f>A1</f><v>sum</v></c><c t='e'><v>#DIV/0!</v></c><c t='b'><v>1</v></c>"
    low = "<rPr><vertAlign val='subscript'/></rPr>"
    texts = f"<si><t>zero</t></si><si><r><t>H</t></r><r>{low}<t>2</t></r><rPh><t>x</t></rPh></si>"
    content = xlsx(f"<sheetData><row>{row}</row></sheetData>")
    document = parse_xlsx("a.xlsx", with_shared(content, texts))
    assert document.text == "# Sheet 1\n\nH2; sum; #DIV/0!; TRUE\n"


def with_shared(content: bytes, texts: str) -> bytes:
    """The workbook with a table of texts."""
    packed = io.BytesIO(content)
    with zipfile.ZipFile(packed) as made:
        parts = {name: made.read(name) for name in made.namelist()}
    links = "xl/_rels/workbook.xml.rels"
    parts[links] = parts[links].replace(b"styles.xml", b"sharedStrings.xml").replace(b"/styles", b"/sharedStrings")
    parts["xl/sharedStrings.xml"] = f"<sst {SHEET}>{texts}</sst>".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, part in parts.items():
            made.writestr(name, part)
    return packed.getvalue()


def test_an_old_workbook_is_read_with_its_cells() -> None:
    document = parse_xls("a.xls", xls(("Pump", "Bar"), ("P1", "10")))
    assert document.text == "# Sheet 1\n\n| Pump | Bar |\n| --- | --- |\n| P1 | 10 |\n"
    assert place(document, "P1") == {"sheet": ["Sheet 1"], "cells": "A2:B2"}


def test_an_old_workbook_with_a_password_says_so() -> None:
    begin = bytes.fromhex("0908100000060500") + bytes(12)
    content = xls(("Pump",))
    assert begin[:4] in content
    locked = content.replace(bytes.fromhex("85000f00"), bytes.fromhex("2f000f00"), 1)
    assert locked != content
    with pytest.raises(DocumentError, match="is encrypted"):
        parse_xls("a.xls", locked)


ODF_STYLES = (
    '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
    '<style:style style:name="T2"><style:text-properties text:display="none"/></style:style>'
    '<style:style style:name="P1" style:parent-style-name="Title"/><style:style style:name="Title"/>'
    '<style:style style:name="Preformatted_20_Text"/>'
    '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    '<style:style style:name="dp2"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="a"'
    ' style:num-suffix=")"/></text:list-style>'
)


def test_an_open_document_text_is_read_as_it_is_seen() -> None:
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        '<text:p text:style-name="P1">Handbook</text:p><text:h text:outline-level="2">Doses</text:h>'
        '<text:p>10<text:span text:style-name="T1">6</text:span> units<text:span text:style-name="T2">x</text:span>'
        ",\n a<text:tab/>b<text:line-break/>c<text:note><text:note-citation>1</text:note-citation><text:note-body>"
        "<text:p>See there.</text:p></text:note-body></text:note> end</text:p>"
        '<text:list text:style-name="L1"><text:list-item><text:p>one</text:p><text:list><text:list-item>'
        "<text:p>in</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>two</text:p></text:list-item></text:list>"
        '<text:p text:style-name="Preformatted_20_Text">if x:</text:p>'
        '<text:p text:style-name="Preformatted_20_Text"><text:s text:c="4"/>y</text:p>'
        '<text:section text:display="none"><text:p>unseen</text:p></text:section>'
        '<table:table><table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>both</text:p>'
        "</table:table-cell><table:covered-table-cell/></table:table-row><table:table-row><table:table-cell>"
        "<text:p>l</text:p></table:table-cell><table:table-cell><text:p>r</text:p></table:table-cell></table:table-row></table:table>"
        "<text:p>tail<draw:frame><draw:image/><svg:desc>A pump</svg:desc></draw:frame></text:p>"
    )
    document = parse_odf("a.odt", odf("text", body, ODF_STYLES))
    assert document.text == (
        "# Handbook\n\n## Doses\n\n10^6 units, a\tb\nc[^1] end\n\n[^1]: See there.\n\na) one\n  in\nb) two\n\n"
        "```\nif x:\n    y\n```\n\n| both |  |\n| --- | --- |\n| l | r |\n\ntail\n\nA pump\n"
    )
    assert document.title == "Handbook"
    assert document.remarks == ("1 hidden section is left out",)


def test_an_open_document_spreadsheet_shows_its_cells_as_seen() -> None:
    body = (
        '<table:table table:name="Costs"><table:table-row table:number-rows-repeated="1048000"><table:table-cell/>'
        "</table:table-row><table:table-row><table:table-cell><text:p>10%</text:p></table:table-cell>"
        '<table:table-cell table:number-columns-repeated="16000"/><table:table-cell><text:p>far</text:p>'
        "</table:table-cell>"
        '</table:table-row></table:table><table:table table:name="x" table:style-name="ta2"><table:table-row>'
        "<table:table-cell><text:p>hidden</text:p></table:table-cell></table:table-row></table:table>"
    )
    document = parse_odf("a.ods", odf("spreadsheet", body, ODF_STYLES))
    assert document.text == "# Costs\n\n10%: far\n"
    assert place(document, "far") == {"sheet": ["Costs"], "cells": "A1048001:WQL1048001"}
    assert document.remarks == ("1 hidden sheet is left out",)


def test_an_open_document_presentation_has_slides() -> None:
    def box(text: str, kind: str = "") -> str:
        frame = f"<draw:text-box><text:p>{text}</text:p></draw:text-box>"
        return f'<draw:frame presentation:class="{kind}">{frame}</draw:frame>'

    def page(title: str, text: str, style: str = "") -> str:
        notes = f"<presentation:notes>{box('note')}</presentation:notes>"
        return f'<draw:page draw:style-name="{style}">{box(text)}{box(title, "title")}{notes}</draw:page>'

    pages = page("One", "first") + page("x", "y", "dp2") + page("Three", "last")
    document = parse_odf("a.odp", odf("presentation", pages, ODF_STYLES))
    assert document.text == "# One\n\nfirst\n\nnote\n\n# Three\n\nlast\n\nnote\n"
    assert place(document, "last") == {"slide": [3]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb"one\par two\line three\tab four", "one\n\ntwo\nthree\tfour\n"),
        (rb"\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2", "Привет\n"),
        (rb"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset128 B;}}a \f1\'82\'b1\'82\'f1 \f0 b\'e4", "a こん bä\n"),
        (rb"\u8364? \u-10179?\u-8690? {\uc0\u945 }b", "€ \U0001f60e \u03b1b\n"),
        (rb"shown{\v hidden} too\v0 !", "shown too!\n"),
        (rb"10{\super 6} and H{\sub 2}O", "10^6 and H2O\n"),
        (rb"10{\up6\fs16 6} of 2{\dn4 3}, \up6 no\up0  more", "10^6 of 2_3, no more\n"),
        (rb"{\pict 0123456789abcdef}{\*\generator X;}{\info{\author B}}text", "text\n"),
        (rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt here}} {\field{\*\fldinst PAGE}{\fldrslt 7}}", "here\n"),
        (rb"\trowd\intbl a\cell b\cell\row\intbl 1\cell\row\pard x", "| a | b |\n| --- | --- |\n| 1 |  |\n\nx\n"),
        (rb"{\listtext 1.\tab}first\par{\listtext\bullet\tab}dot\par", "1. first\n- dot\n"),
        (rb"{\stylesheet{\s1 heading 1;}{\s2 Title;}}\pard\s2 T\par\pard\s1 H\par\pard x", "# T\n\n# H\n\nx\n"),
        (rb"{\header top\par}a{\footnote below}\par b", "top\n\na[^1]\n\n[^1]: below\n\nb\n"),
        (rb"a\~b\_c\-d \{x\} \\ \emdash", "a\u00a0b-cd {x} \\ \u2014\n"),
        (rb"keep{\deleted gone} {\*\unknown dropped}{\bin5 {{{{{}this", "keep this\n"),
    ],
)  # fmt: skip
def test_rich_text_is_read_in_its_code_pages(content: bytes, text: str) -> None:
    document = parse_rtf("a.rtf", b"{\\rtf1\\ansi " + content + b"}")
    assert document.text == text


WORD = re.compile(r"word\d+x?")


def twice(words: list[str], form: str) -> str:
    return "".join(form.format(word) for word in words)


MADE: dict[str, tuple[Callable[[str, bytes], Parsed], Callable[[list[str]], bytes]]] = {
    "pptx": (parse_pptx, lambda words: pptx(*(shape(word, "title") + shape(word + "x", top=9) for word in words))),
    "xlsx": (parse_xlsx, lambda words: xlsx(f"<sheetData>{rows(*((one, one + 'x') for one in words))}</sheetData>")),
    "xls": (parse_xls, lambda words: xls(*((word, word + "x") for word in words))),
    "odt": (parse_odf, lambda words: odf("text", twice(words, "<text:p>{0} <text:span>{0}x</text:span></text:p>"))),
    "rtf": (parse_rtf, lambda words: ("{\\rtf1 " + twice(words, "{0} {{\\b {0}x}}\\par ") + "}").encode()),
}


@pytest.mark.parametrize("kind", MADE)
def test_every_word_is_in_its_order(kind: str) -> None:
    parse, make = MADE[kind]
    words = [f"word{number}" for number in range(40)]
    assert WORD.findall(parse("a", make(words)).text) == [shown for word in words for shown in (word, f"{word}x")]


@pytest.mark.parametrize("name", ["letter.doc", "talk.ppt"])
def test_an_old_document_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(DocumentError, match=r"is an old Office document.* save it as \.docx or \.pptx"):
        check_signature(name, OLE + bytes(600), None)


LONG = 100_000  # a pattern that tries such a stretch in parts takes minutes


def test_a_stretch_of_one_character_is_passed_over_at_once() -> None:
    styles = xml("w:styles", '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="toc 1"/></w:style>')
    noise = random.Random(1).randbytes(LONG // 2).hex()  # or the file would be taken for a bomb
    texts = (" " * LONG + "x", "." * LONG + "x", "[" * LONG, "```" * LONG, "a/" * LONG)
    body = "".join(paragraph(text, "T") + paragraph(text) for text in texts)
    picture = f'<w:r><w:drawing><wp:inline><wp:docPr descr="{" " * LONG}x"/></wp:inline></w:drawing></w:r>'
    assert parse_docx("a.docx", docx(f"{body}<w:p>{picture}</w:p>", title="a/" * LONG, styles=styles, noise=noise)).text
    code = (
        f'<numFmts><numFmt numFmtId="164" formatCode="{"[" * LONG}"/></numFmts><cellXfs><xf numFmtId="164"/></cellXfs>'
    )
    sheet = '<sheetData><row><c s="0"><v>1</v></c></row></sheetData>'
    assert parse_xlsx("a.xlsx", xlsx(sheet, styles=code)).text == "# Sheet 1\n\n1\n"
    assert parse_rtf("a.rtf", b"{\\rtf1 {\\pict " + b"0\n" * LONG + b"}" + b"\\" * LONG + b"x}").text


def test_groups_without_end_are_refused() -> None:
    with pytest.raises(DocumentError, match="groups in groups") as caught:
        parse_rtf("a.rtf", b"{\\rtf1 " + b"{" * 100_000)
    assert caught.value.reason == "too-deep"
