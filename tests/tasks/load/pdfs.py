"""PDFs made of drawn strings, so that a test knows each word and where it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 612, 792
USUAL = 12.0
_ABOVE = 65  # codes of letters that no standard font has: a map says what they mean


@dataclass
class DrawnPage:
    """Strings in the order in which they are drawn; `more` are entries of its dictionary."""

    more: str = ""
    annotations: list[str] = field(default_factory=list)
    operators: list[str] = field(default_factory=list)
    letters: dict[str, int] = field(default_factory=dict)

    def draw(self, x: float, y: float, text: str, size: float = USUAL, turn: int = 0) -> "DrawnPage":
        """Begin at a point; a page that is turned by quarters is drawn so that it is upright for its reader."""
        a, b = ((1, 0), (0, 1), (-1, 0), (0, -1))[turn]
        x, y = _turned(x, y, turn)
        matrix = f"{a} {b} {-b} {a} {x:.2f} {y:.2f} Tm"
        if text.isascii():
            shown = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            self.operators.append(f"BT /F1 {size} Tf {matrix} ({shown}) Tj ET")
        else:
            codes = "".join(f"{self.letters.setdefault(one, _ABOVE + len(self.letters)):02x}" for one in text)
            self.operators.append(f"BT /F2 {size} Tf {matrix} <{codes}> Tj ET")
        return self

    def mixed(self, x: float, y: float, *parts: tuple[str, float, float]) -> "DrawnPage":
        """Draw strings that follow each other at once, each with its size and how far it is raised."""
        drawn = " ".join(f"/F1 {size} Tf {rise} Ts ({text}) Tj" for text, size, rise in parts)
        self.operators.append(f"BT {x} {y} Td {drawn} 0 Ts ET")
        return self

    def rule(self, x: float, y: float, u: float, v: float, turn: int = 0) -> "DrawnPage":
        """Draw a line between two points; on a turned page as `draw` does."""
        (x, y), (u, v) = _turned(x, y, turn), _turned(u, v, turn)
        self.operators.append(f"{x} {y} m {u} {v} l S")
        return self

    def box(self, x: float, y: float, width: float, height: float, grey: float = 0.9) -> "DrawnPage":
        """Fill a rectangle; `x` and `y` are its lower left corner."""
        self.operators.append(f"{grey} g {x} {y} {width} {height} re f 0 g")
        return self

    def lines(self, x: float, y: float, *texts: str, size: float = USUAL) -> "DrawnPage":
        """Draw them below each other."""
        for number, text in enumerate(texts):
            self.draw(x, y - 1.2 * size * number, text, size)
        return self


def _turned(x: float, y: float, turn: int) -> tuple[float, float]:
    return ((x, y), (WIDTH - y, x), (WIDTH - x, HEIGHT - y), (y, HEIGHT - x))[turn]


def pdf_of(*pages: DrawnPage, title: str = "", catalog: str = "", parts: Sequence[str] = ()) -> bytes:
    """A file of these pages; `parts` are objects from number 10 on, and pages have the numbers from 100 on."""
    made: dict[int, bytes] = {number: part.encode() for number, part in enumerate(parts, 10)}
    made[1] = f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode()
    kids = " ".join(f"{100 + 4 * number} 0 R" for number in range(len(pages)))
    made[2] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} /MediaBox [0 0 {WIDTH} {HEIGHT}] >>".encode()
    made[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    made[4] = f"<< /Title <feff{title.encode('utf-16-be').hex()}> >>".encode()
    for number, page in enumerate(pages):
        at = 100 + 4 * number
        annotations = f"/Annots [{' '.join(page.annotations)}]" if page.annotations else ""
        fonts = f"/F1 3 0 R /F2 {at + 2} 0 R"
        made[at] = (
            f"<< /Type /Page /Parent 2 0 R /Contents {at + 1} 0 R /Resources << /Font << {fonts} >> >>"
            f" {annotations} {page.more} >>"
        ).encode()
        made[at + 1] = _stream("\n".join(page.operators).encode())
        made[at + 2] = f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode {at + 3} 0 R >>".encode()
        made[at + 3] = _stream(_meanings(page.letters))
    return _file(made)


def _stream(content: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)


def _meanings(letters: Mapping[str, int]) -> bytes:
    """What the codes of a page's own letters mean."""
    entries = "\n".join(f"<{code:02x}> <{letter.encode('utf-16-be').hex()}>" for letter, code in letters.items())
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /M def /CMapType 2 def"
        " 1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(letters)} beginbfchar\n{entries}\nendbfchar endcmap end end"
    ).encode()


def _file(made: Mapping[int, bytes]) -> bytes:
    content = bytearray(b"%PDF-1.7\n")
    offsets: dict[int, int] = {}
    for number, part in sorted(made.items()):
        offsets[number] = len(content)
        content += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start, size = len(content), max(made) + 1
    table = b"".join(
        b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
        for number in range(size)
    )
    content += b"xref\n0 %d\n%strailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\n" % (size, table, size)
    return bytes(content + b"startxref\n%d\n%%%%EOF\n" % start)
