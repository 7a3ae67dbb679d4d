"""Word documents: every word that a reader sees, in order, none that nobody sees, no two glued."""

import re

import pytest

from tasks.load.parse.office.docx import parse_docx
from tasks.load.parse.text import Parsed
from tests.tasks.load.office_files import archive, docx, paragraph, relations, run, xml

SUPER, SUB = (f'<w:vertAlign w:val="{kind}script"/>' for kind in ("super", "sub"))
DELETED = '<w:r><w:delText xml:space="preserve">gone</w:delText></w:r>'


def read(body: str, **parts: str) -> Parsed:
    return parse_docx("a.docx", docx(body, **parts))


def field(instruction: str, result: str) -> str:
    """In the form that is spread over many runs."""
    begin, separate, end = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end"))
    return f"{begin}<w:r><w:instrText>{instruction}</w:instrText></w:r>{separate}{run(result)}{end}"


SEEN = {
    "a run": (run("one"), "one"),
    "a field": ('<w:fldSimple w:instr="REF x">' + run("Chapter 7") + "</w:fldSimple>", "Chapter 7"),
    "a field in runs": (field("REF _Ref1 \\h", "Table 3"), "Table 3"),
    "a field in a field": (field(f"IF </w:instrText></w:r>{field('REF', 'in')}<w:r><w:instrText>", "yes"), "yes"),
    "a page number": ("<w:fldSimple w:instr=' PAGE '>" + run("7") + "</w:fldSimple>", ""),
    "a box to tick": (
        '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData></w:fldChar>'
        "</w:r>"
        '<w:r><w:instrText>FORMCHECKBOX</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>',
        "\u2612",
    ),
    "a list to choose from": (
        '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="no"/>'
        '<w:listEntry w:val="yes"/></w:ddList></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>',
        "yes",
    ),
    "right to left": (f'<w:dir w:val="rtl">{run("שלום")}</w:dir><w:bdo w:val="rtl">{run("עולם")}</w:bdo>', "שלוםעולם"),
    "a link": (f'<w:hyperlink r:id="r9">{run("the site")}</w:hyperlink>', "the site"),
    "a tag": (f"<w:smartTag>{run('Rome')}</w:smartTag><w:customXml>{run('!')}</w:customXml>", "Rome!"),
    "a control": (f"<w:sdt><w:sdtPr/><w:sdtContent>{run('filled in')}</w:sdtContent></w:sdt>", "filled in"),
    "an empty control": (
        f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run('Click here')}</w:sdtContent></w:sdt>", "",
    ),
    "an insertion": (f"<w:ins>{run('new')}</w:ins><w:del>{DELETED}</w:del>", "new"),
    "a move": (f"<w:moveTo>{run('moved')}</w:moveTo><w:moveFrom>{run('moved')}</w:moveFrom>", "moved"),
    "hidden text": (run("secret", "<w:vanish/>") + run("shown", '<w:vanish w:val="0"/>'), "shown"),
    "hyphens": (
        "<w:r><w:t>e</w:t><w:noBreakHyphen/><w:t>mail \u00ad</w:t><w:softHyphen/><w:t>a</w:t></w:r>", "e-mail a",
    ),
    "a break": ("<w:r><w:t>up</w:t><w:br/><w:t>down</w:t><w:tab/><w:t>aside</w:t></w:r>", "up\ndown\taside"),
    "a power": (run("10") + run("-", SUPER) + run("3", SUPER), "10^-3"),
    "an area": (run("5 m") + run("2", SUPER) + run(" wide"), "5 m^2 wide"),
    "an ordinal": (run("the 1") + run("st", SUPER) + run(" day"), "the 1st day"),
    "a power by hand": (run("10") + run("6", '<w:position w:val="8"/>'), "10^6"),
    "a number of base 2": (run("101") + run("2", SUB) + run(" is five"), "101_2 is five"),
    "digits behind a power": (run("10") + run("6", SUPER) + run("2 x") + run("1", SUB) + run("5"), "10^6 2 x1 5"),
    "an acid": (run("H") + run("2", SUB) + run("SO"), "H2SO"),
    "an index": (run("x") + run("n+1", SUB), "x_(n+1)"),
    "crossed out": (run("Price ") + run("90", "<w:strike/>") + run(" 70"), "Price ~~90~~ 70"),
    "a sign": ('<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>' + run(" done"), "\u2713 done"),
    "a Greek letter": ('<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>', "\u03b1"),
    "ruby": (f"<w:ruby><w:rt>{run('kan')}</w:rt><w:rubyBase>{run('漢')}</w:rubyBase></w:ruby>", "漢(kan)"),
    "a newer drawing": (
        f"<mc:AlternateContent><mc:Choice>{run('new')}</mc:Choice><mc:Fallback>{run('old')}</mc:Fallback></mc:AlternateContent>",
        "new",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_a_line_holds_what_is_seen(name: str) -> None:
    inner, text = SEEN[name]
    assert read(f"<w:p>{run('before ')}{inner}{run(' after')}</w:p>").text == f"before {text} after\n"


def math(form: str, **parts: str) -> str:
    """A form of equations; what is no element is letters."""
    inner = "".join(
        f"<m:{name}>{part if part.startswith('<') else f'<m:r><m:t>{part}</m:t></m:r>'}</m:{name}>"
        for name, part in parts.items()
    )
    return f"<m:{form}>{inner}</m:{form}>"


LETTER = "<m:r><m:t>{}</m:t></m:r>"
EQUATIONS = {
    "E=mc^2": LETTER.format("E=m") + math("sSup", e="c", sup="2"),
    "(a+b)/2": math("f", num="a+b", den="2"),
    "sqrt(x)": math("rad", e="x"),
    "sqrt[3](x)": math("rad", deg="3", e="x"),
    "\u2211_(i=1)^n i": math("nary", naryPr='<m:chr m:val="\u2211"/>', sub="i=1", sup="n", e="i"),
    "[a, b; c, d]": math(
        "m",
        mr="</m:mr><m:mr>".join(math("e", x=left) + math("e", x=right) for left, right in ("ab", "cd")),
    ),
    "|x|": math("d", dPr='<m:begChr m:val="|"/><m:endChr m:val="|"/>', e="x"),
    "a_n cos": math("sSub", e="a", sub="n") + LETTER.format("cos"),
    "x\u0302": math("acc", e="\U0001d465"),
    "sin x": math("func", fName="sin", e="x"),
    "2 1/2 x": LETTER.format("2") + math("f", num="1", den="2") + LETTER.format("x"),
    "z sin x": LETTER.format("z") + math("func", fName="sin", e="x"),
    "10 10^6": LETTER.format("1") + LETTER.format("0") + math("sSup", e="10", sup="6"),
    "lim_(n\u21920) y": math("func", fName=math("limLow", e="lim", lim="n\u21920"), e="y"),
}


@pytest.mark.parametrize("text", EQUATIONS)
def test_an_equation_is_a_line_of_text(text: str) -> None:
    body = f"<w:p>{run('The mass is ')}<m:oMath>{EQUATIONS[text]}</m:oMath>{run(' in rest.')}</w:p>"
    assert read(body).text == f"The mass is {text} in rest.\n"


PALE = '<w:color w:val="ffffff"/>'
TINY = '<w:sz w:val="2"/>'
MARKED = '<w:highlight w:val="black"/>'
DARK = '<w:shd w:val="clear" w:fill="1F3864"/>'


def test_white_letters_are_out_where_they_stand_on_white() -> None:
    hidden = f"<w:p>{run('seen ')}{run('secret', PALE)}{run('secret', TINY)}</w:p>"
    document = read(hidden + f"<w:p>{run('on blue', PALE + DARK)}</w:p>")
    assert document.text == "seen\n\non blue\n"
    assert document.remarks == ("1 white passage on white is left out",)
    shaded = f"<w:p><w:pPr>{DARK}</w:pPr>{run('in a band', PALE)}</w:p>"
    cell = f"<w:tbl><w:tr><w:tc><w:p>{run('in a head', PALE)}</w:p></w:tc></w:tr></w:tbl>"
    marked = f"<w:p>{run('marked', PALE + MARKED)}</w:p>"
    assert read(shaded + cell + marked).text.split("\n\n") == ["in a band", "in a head", "marked\n"]


STYLES = xml(
    "w:styles",
    "".join(
        f'<w:style w:type="paragraph" w:styleId="{style}"><w:name w:val="{name}"/>{inner}</w:style>'
        for style, name, inner in (
            ("berschrift1", "heading 1", '<w:pPr><w:outlineLvl w:val="0"/></w:pPr>'),
            ("Kapitel", "Kapitel", '<w:basedOn w:val="berschrift1"/>'),
            ("Unter", "Überschrift 2", ""),
            ("Titel", "Title", ""),
            ("Subtitle", "Subtitle", ""),
            ("TOCHeading", "TOC Heading", '<w:basedOn w:val="berschrift1"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr>'),
            ("TOC1", "toc 1", ""),
            ("Code", "HTML Preformatted", ""),
            ("Secret", "Secret", "<w:rPr><w:vanish/></w:rPr>"),
            ("Loop", "Loop", '<w:basedOn w:val="Loop"/>'),
            ("Numbered", "Numbered", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'),
        )
    ),
)


def test_headings_are_known_by_outline_style_and_name() -> None:
    document = read(
        paragraph("The Handbook", "Titel")
        + paragraph("for everybody", "Subtitle")
        + paragraph("Contents", "TOCHeading")
        + paragraph("Start\t3", "TOC1")
        + paragraph("Annex of another file\t9", "TOC1")
        + paragraph("Start", "Kapitel")
        + paragraph("Deeper", "Unter")
        + paragraph("By itself", properties='<w:outlineLvl w:val="2"/>')
        + paragraph("hidden", "Secret")
        + paragraph("# no heading", "Loop"),
        styles=STYLES,
    )
    assert document.title == "The Handbook"
    assert [(one.level, one.title) for one in document.headings or ()] == [
        (1, "The Handbook"),
        (1, "Start"),
        (2, "Deeper"),
        (3, "By itself"),
    ]
    assert all(document.text[one.start : one.end].endswith(one.title) for one in document.headings or ())
    shown = ("for everybody", "Contents", "Annex of another file\t9", "# no heading")
    assert [part for part in shown if part not in document.text] == []
    assert "Start\t3" not in document.text
    assert "hidden" not in document.text


@pytest.mark.parametrize(
    ("title", "believed"),
    [("The Handbook", "The Handbook"), ("Document1", ""), ("untitled", ""), ("report_v2.docx", ""), ("Dokument 3", "")],
)
def test_a_title_of_properties_is_believed_where_somebody_wrote_it(title: str, believed: str) -> None:
    assert parse_docx("a.docx", docx(paragraph("x"), title)).title == believed


def level(depth: int, form: str, text: str) -> str:
    return f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'


NUMBERING = xml(
    "w:numbering",
    f'<w:abstractNum w:abstractNumId="0">{level(0, "decimal", "%1.")}{level(1, "decimal", "%1.%2")}'
    f"{level(2, 'lowerLetter', '%3)')}</w:abstractNum>"
    f'<w:abstractNum w:abstractNumId="1">{level(0, "bullet", "o")}{level(1, "upperRoman", "%2")}</w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/>'
    "</w:lvlOverride></w:num>",
)


def item(text: str, number: int, depth: int = 0, style: str = "") -> str:
    properties = f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>'
    return paragraph(text, style, properties)


def test_lists_and_headings_have_the_numbers_that_a_reader_sees() -> None:
    document = read(
        item("Scope", 1, 0, "berschrift1")
        + item("Terms", 1, 1, "Unter")
        + item("Parts", 1, 1, "Unter")
        + item("first", 1, 2)
        + item("second", 1, 2)
        + item("Rules", 1, 0, "berschrift1")
        + item("More", 1, 1, "Unter")
        + item("dot", 2)
        + item("deep", 2, 1)
        + item("five", 3)
        + item("none", 0),
        numbering=NUMBERING,
        styles=STYLES,
    )
    assert document.text.split("\n")[::1] == [
        "# 1. Scope", "", "## 1.1 Terms", "", "## 1.2 Parts", "", "    a) first", "    b) second", "", "# 2. Rules", "",
        "## 2.1 More", "", "- dot", "  I deep", "5. five", "", "none", "",
    ]  # fmt: skip


def test_code_keeps_its_indentation_and_its_blank_lines() -> None:
    mono = '<w:rFonts w:ascii="Courier New"/>'
    lines = ("def f(x):", "    return x", "", "```")
    body = "".join(f"<w:p>{run(line, mono) if line else ''}</w:p>" for line in lines)
    document = read(paragraph("Like this:") + body + paragraph("  if y:", "Code") + paragraph("```"), styles=STYLES)
    assert document.text == "Like this:\n\n````\ndef f(x):\n    return x\n\n```\n  if y:\n````\n\n\\```\n"


def test_code_that_is_indented_by_the_paragraph_keeps_its_steps() -> None:
    lines = ((240, "def f():"), (720, "return 1"), (240, "f()"))
    body = "".join(paragraph(text, "Code", f'<w:ind w:left="{twips}"/>') for twips, text in lines)
    assert read(body, styles=STYLES).text == "```\ndef f():\n    return 1\nf()\n```\n"


def test_a_document_in_a_typewriters_letters_is_no_code() -> None:
    mono = '<w:rPr><w:rFonts w:ascii="Courier"/></w:rPr>'
    styles = xml("w:styles", f"<w:docDefaults><w:rPrDefault>{mono}</w:rPrDefault></w:docDefaults>")
    assert read(paragraph("Dear Sir"), styles=styles).text == "Dear Sir\n"


def table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def cell(*inner: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{''.join(inner)}</w:tc>"


def test_tables_keep_rows_columns_and_what_is_in_cells() -> None:
    down, below = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    control = f"<w:sdt><w:sdtContent>{cell(paragraph('Limit'))}</w:sdtContent></w:sdt>"
    body = table(
        cell(paragraph("Pump")) + cell(paragraph("Steps")) + control,
        cell(paragraph("P1"), properties=down) + cell(item("Open A", 2), item("Open B", 2)) + cell(paragraph("a | b")),
        cell(paragraph(""), properties=below) + cell(paragraph("both"), properties='<w:gridSpan w:val="2"/>'),
        f"<w:trPr><w:del/></w:trPr>{cell(paragraph('gone'))}",
        f'<w:trPr><w:gridBefore w:val="2"/></w:trPr>{cell(paragraph("right"))}',
    )  # fmt: skip
    assert read(body, numbering=NUMBERING).text == (
        "| Pump | Steps | Limit |\n| --- | --- | --- |\n| P1 | - Open A<br>- Open B | a \\| b |\n|  | both |  |\n"
        "|  |  | right |\n"
    )


def test_a_table_that_is_a_layout_is_read_cell_by_cell() -> None:
    inner = table(cell(paragraph("a")) + cell(paragraph("b")), cell(paragraph("1")) + cell(paragraph("2")))
    document = read(table(cell(paragraph("Left")) + cell(inner, paragraph("Right"))) + table(cell(paragraph("Alone"))))
    assert document.text == "Left\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nRight\n\nAlone\n"


def test_a_small_table_in_a_cell_of_a_table_is_a_line_of_it() -> None:
    inner = table(cell(paragraph("a")) + cell(paragraph("b")), cell(paragraph("1")) + cell(paragraph("2")))
    rows = cell(paragraph("Pump")) + cell(paragraph("Parts")), cell(paragraph("P1")) + cell(inner, paragraph(""))
    assert read(table(*rows)).text == "| Pump | Parts |\n| --- | --- |\n| P1 | a, b, 1, 2 |\n"


def test_heads_and_feet_of_pages_are_read_once() -> None:
    head = xml("w:hdr", paragraph("ACME 4711, valid until 2027"))
    foot = xml("w:ftr", f"<w:p>{run('Page ')}{field('PAGE', '3')}</w:p>{paragraph('Confidential')}")
    section = (
        '<w:sectPr><w:headerReference w:type="default" r:id="r1"/><w:headerReference w:type="first" r:id="r2"/>'
        '<w:headerReference w:type="even" r:id="r4"/><w:footerReference w:type="default" r:id="r3"/></w:sectPr>'
    )
    body = f"<w:p><w:pPr>{section}</w:pPr>{run('one')}</w:p>" + paragraph("two") + section
    parts = {"header1": head, "header2": xml("w:hdr", paragraph("never shown")), "footer3": foot, "header4": head}
    document = read(body, **parts)
    assert document.text == "ACME 4711, valid until 2027\n\none\n\ntwo\n\nConfidential\n"


def test_notes_stand_below_their_paragraph() -> None:
    note = f'<w:footnote w:id="2">{paragraph("See the annex.")}</w:footnote>'
    body = f'<w:p>{run("Sure")}<w:r><w:footnoteReference w:id="2"/></w:r>{run(".")}</w:p>' + paragraph("Next")
    document = read(body, footnotes=xml("w:footnotes", note))
    assert document.text == "Sure[^1].\n\n[^1]: See the annex.\n\nNext\n"


def test_a_paragraph_whose_end_was_deleted_goes_on() -> None:
    body = paragraph("hel", properties="<w:rPr><w:del/></w:rPr>") + paragraph("lo")
    assert read(body).text == "hello\n"


def drawing(inner: str, description: str = "") -> str:
    properties = f'<wp:docPr id="1" name="x" descr="{description}"/>'
    return f"<w:r><w:drawing><wp:inline>{properties}{inner}</wp:inline></w:drawing></w:r>"


CHART = (("tx", "Sales"), ("cat", "May"), ("val", "7"))


def test_what_is_drawn_is_read_or_named() -> None:
    box = f"<w:txbxContent>{paragraph('boxed')}</w:txbxContent>"
    body = (
        f"<w:p>{run('before')}{drawing(box)}{drawing('<pic:pic/>', 'A red pump')}{drawing('<pic:pic/>', 'image1.png')}"
        + drawing('<c:chart r:id="r1"/>')
        + drawing('<dgm:relIds r:dm="r2"/>')
        + "<w:r><w:object><o:OLEObject/></w:object></w:r><w:r><w:commentReference w:id='1'/></w:r></w:p>"
        "<w:altChunk r:id='r7'/>"
    )
    points = [
        f'<c:{kind}><c:pt idx="0"><c:v>{value}</c:v></c:pt></c:{kind}>'
        for kind, value in (("cat", "May"), ("val", "7"))
    ]
    chart = xml("c:chartSpace", f"<c:ser><c:tx><c:pt idx='0'><c:v>Sales</c:v></c:pt></c:tx>{''.join(points)}</c:ser>")
    diagram = xml("dgm:dataModel", "<a:p><a:r><a:t>First</a:t></a:r></a:p><a:p><a:r><a:t>Then</a:t></a:r></a:p>")
    document = read(body, chart1=chart, diagramData2=diagram)
    shown = "before\n\nboxed\n\nA red pump\n\n|  | Sales |\n| --- | --- |\n| May | 7 |\n\n- First\n- Then\n"
    assert document.text == shown
    assert document.remarks == (
        "1 picture has no description",
        "1 embedded object is not read",
        "1 comment is left out",
        "1 imported part is not read",
    )


def test_the_strict_form_of_the_standard_is_read_as_the_usual_one() -> None:
    body = paragraph("Alpha", "berschrift1") + f"<w:p>{run('10')}{run('6', SUPER)}</w:p>"
    usual = {
        "_rels/.rels": relations(("officeDocument", "word/document.xml")),
        "word/document.xml": xml("w:document", f"<w:body>{body}</w:body>"),
        "word/_rels/document.xml.rels": relations(("styles", "styles.xml")),
        "word/styles.xml": STYLES,
    }
    names = re.compile(r"http://schemas.openxmlformats.org/(\w+)/2006/")
    package = "package/2006/relationships"
    strict = {
        name: names.sub(r"http://purl.oclc.org/ooxml/\1/", text).replace(
            "http://purl.oclc.org/ooxml/package/relationships", f"http://schemas.openxmlformats.org/{package}"
        )
        for name, text in usual.items()
    }
    assert "purl.oclc.org/ooxml/wordprocessingml/main" in strict["word/document.xml"]
    assert parse_docx("a.docx", archive(dict(strict))).text == "# Alpha\n\n10^6\n"
