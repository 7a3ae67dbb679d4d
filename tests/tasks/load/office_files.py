"""Office files in the smallest form that their readers accept, made part by part."""

import io
import struct
import zipfile

_SCHEMAS = "http://schemas.openxmlformats.org"
_RELATIONS = f"{_SCHEMAS}/officeDocument/2006/relationships"
NAMES = {
    "w": f"{_SCHEMAS}/wordprocessingml/2006/main",
    "p": f"{_SCHEMAS}/presentationml/2006/main",
    "a": f"{_SCHEMAS}/drawingml/2006/main",
    "c": f"{_SCHEMAS}/drawingml/2006/chart",
    "dgm": f"{_SCHEMAS}/drawingml/2006/diagram",
    "wp": f"{_SCHEMAS}/drawingml/2006/wordprocessingDrawing",
    "m": f"{_SCHEMAS}/officeDocument/2006/math",
    "r": _RELATIONS,
    "mc": f"{_SCHEMAS}/markup-compatibility/2006",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
    "pic": f"{_SCHEMAS}/drawingml/2006/picture",
    "a14": "http://schemas.microsoft.com/office/drawing/2010/main",
    "xdr": f"{_SCHEMAS}/drawingml/2006/spreadsheetDrawing",
    **{
        name: f"urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"
        for name, long in {
            "office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style",
            "presentation": "presentation", "svg": "svg-compatible",
        }.items()
    },
    "xlink": "http://www.w3.org/1999/xlink",
    "dc": "http://purl.org/dc/elements/1.1/",
}  # fmt: skip
SHEET = f'xmlns="{_SCHEMAS}/spreadsheetml/2006/main" xmlns:r="{_RELATIONS}"'


def archive(parts: dict[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return packed.getvalue()


def xml(tag: str, inner: str, attributes: str = "", doctype: str = "") -> str:
    names = " ".join(f'xmlns:{name}="{uri}"' for name, uri in NAMES.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>{doctype}<{tag} {names} {attributes}>{inner}</{tag}>'


def relations(*targets: tuple[str, str]) -> str:
    """Of these kinds to these targets, with the ids r1, r2 and so on; a web address is outside."""
    outside = ' TargetMode="External"'
    lines = "".join(
        f'<Relationship Id="r{number}" Type="{_RELATIONS}/{kind}" Target="{target}"'
        f"{outside if '://' in target else ''}/>"
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_SCHEMAS}/package/2006/relationships">{lines}</Relationships>'


def docx(body: str, title: str = "", doctype: str = "", **parts: str) -> bytes:
    """`parts` are styles, numbering, header1, footnotes … and become r1, r2 in their order."""
    kinds = [(name.rstrip("0123456789"), f"{name}.xml") for name in parts]
    return archive(
        {
            "_rels/.rels": relations(("officeDocument", "word/document.xml")),
            "docProps/core.xml": xml("properties", f"<dc:title>{title}</dc:title>"),
            "word/document.xml": xml("w:document", f"<w:body>{body}</w:body>", doctype=doctype),
            "word/_rels/document.xml.rels": relations(*kinds),
            **{f"word/{name}.xml": part for name, part in parts.items()},
        }
    )


def paragraph(text: str, style: str = "", properties: str = "") -> str:
    """A paragraph of Word's."""
    style = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{style}{properties}</w:pPr>{run(text)}</w:p>"


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def shape(text: str, kind: str = "", top: int = 0, left: int = 0) -> str:
    """A box of PowerPoint's with a line of text each; `kind` is that of its placeholder."""
    holder = f'<p:ph type="{kind}"/>' if kind else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="1" name="x"/><p:cNvSpPr/><p:nvPr>{holder}</p:nvPr></p:nvSpPr><p:spPr><a:xfrm>'
        f'<a:off x="{left}" y="{top}"/></a:xfrm></p:spPr><p:txBody>{lines}</p:txBody></p:sp>'
    )


def pptx(*slides: str, doctype: str = "", **parts: str) -> bytes:
    """Each slide is what stands in its tree; `parts` are put into the folder `ppt`, `__` standing for a slash."""
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="r{number}"/>' for number in range(1, 1 + len(slides)))
    kinds = [("slide", f"slides/slide{number}.xml") for number in range(1, 1 + len(slides))]
    return archive(
        {
            "_rels/.rels": relations(("officeDocument", "ppt/presentation.xml")),
            "ppt/presentation.xml": xml("p:presentation", f"<p:sldIdLst>{ids}</p:sldIdLst>", doctype=doctype),
            "ppt/_rels/presentation.xml.rels": relations(*kinds),
            **{
                f"ppt/slides/slide{number}.xml": slide
                if slide.startswith("<?xml")
                else xml("p:sld", f"<p:cSld><p:spTree>{slide}</p:spTree></p:cSld>")
                for number, slide in enumerate(slides, 1)
            },
            **{f"ppt/{name.replace('__', '/')}": part for name, part in parts.items()},
        }
    )


def xlsx(*sheets: str, states: tuple[str, ...] = (), styles: str = "", doctype: str = "") -> bytes:
    """Each sheet is what stands in its root."""
    states = (*states, *["visible"] * (len(sheets) - len(states)))
    tags = "".join(
        f'<sheet name="Sheet {number}" sheetId="{number}" r:id="r{number}" state="{state}"/>'
        for number, state in enumerate(states, 1)
    )
    kinds = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, 1 + len(sheets))]
    return archive(
        {
            "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f"{doctype}<workbook {SHEET}><sheets>{tags}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(*kinds, ("styles", "styles.xml")),
            "xl/styles.xml": f"<styleSheet {SHEET}>{styles}</styleSheet>",
            **{
                f"xl/worksheets/sheet{number}.xml": f"<worksheet {SHEET}>{sheet}</worksheet>"
                for number, sheet in enumerate(sheets, 1)
            },
        }
    )


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def odf(kind: str, body: str, styles: str = "", title: str = "", doctype: str = "") -> bytes:
    """`kind` is text, presentation or spreadsheet."""
    return archive(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": xml(
                "office:document-content",
                f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>"
                f"<office:{kind}>{body}</office:{kind}></office:body>",
                doctype=doctype,
            ),
            "meta.xml": xml("office:document-meta", f"<office:meta><dc:title>{title}</dc:title></office:meta>"),
        }
    )


def xls(*rows: tuple[str, ...]) -> bytes:
    """A workbook of Excel 97: one stream in a compound file."""

    def record(number: int, content: bytes) -> bytes:
        return struct.pack("<HH", number, len(content)) + content

    begin, end = struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 0), record(0x0A, b"")
    name = b"Sheet 1"
    bound = record(0x85, struct.pack("<IHBB", 0, 0, len(name), 0) + name)
    start = len(record(0x809, begin)) + len(bound) + len(end)
    bound = record(0x85, struct.pack("<IHBB", start, 0, len(name), 0) + name)
    cells = b"".join(
        record(0x204, struct.pack("<HHHHB", number, column, 0, len(text), 1) + text.encode("utf-16-le"))
        for number, row in enumerate(rows)
        for column, text in enumerate(row)
    )
    sheet = record(0x809, struct.pack("<HHHHII", 0x0600, 0x10, 0, 0, 0, 0)) + cells + end
    stream = (record(0x809, begin) + bound + end + sheet).ljust(4096, b"\0")
    return _compound("Workbook", stream)


def _compound(name: str, stream: bytes) -> bytes:
    """Sector 0 is the table of sectors, 1 the directory, the stream begins at 2."""
    stream += bytes(-len(stream) % 512)
    sectors = len(stream) // 512
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, 2 + sectors), 0xFFFFFFFE]
    table = struct.pack(f"<{len(chain)}I", *chain).ljust(512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0) + struct.pack("<I", 0)
    header += b"\xff" * (512 - len(header))

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        letters = title.encode("utf-16-le")
        return (
            letters.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(letters) + 2, kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry(name, 2, 0xFFFFFFFF, 2, len(stream)) + bytes(256)
    return header + table + directory + stream
