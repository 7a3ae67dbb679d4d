"""One made document in every format: blocks of words of which a reader sees `w1x w2x …` in order, and no `h1x`."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.tasks.load.books import eml, epub
from tests.tasks.load.office_files import cell, docx, odf, paragraph, pptx, run, shape, xlsx, xml
from tests.tasks.load.pdfs import DrawnPage, pdf_of

KINDS = ("heading", "text", "list", "numbers", "table", "code", "quote", "hidden")
STYLES = ("plain", "bold", "italic", "code", "link", "marks")
Words = Sequence[tuple[str, str]]  # style and word


class Block(NamedTuple):
    """`lines` are those of a list, a table or a listing, or sentences; `variant` chooses among ways to write it."""

    kind: str
    lines: Sequence[Words]
    variant: int = 0


Blocks = Sequence[Block]
ADDRESS = "http://e.org/a"


def _said(words: Words, marks: dict[str, str]) -> str:
    """The words with what a format writes around each style."""
    return " ".join(marks.get(style, "({}),." if style == "marks" else "{}").format(word) for style, word in words)


def _bare(words: Words) -> str:
    return " ".join(word for _, word in words)


def _rows(block: Block, marks: dict[str, str]) -> list[list[str]]:
    """Cells, as many in each row."""
    width = max(map(len, block.lines))
    return [[*(_said([word], marks) for word in line), *[""] * (width - len(line))] for line in block.lines]


def _level(block: Block) -> int:
    return block.variant % 3 + 1


def markdown(blocks: Blocks) -> bytes:
    marks = {"bold": "**{}**", "italic": "*{}*", "code": "`{}`", "link": f"[{{}}]({ADDRESS})"}
    return "\n\n".join(_of_markdown(block, marks) for block in blocks).encode()


def _of_markdown(block: Block, marks: dict[str, str]) -> str:
    said = [_said(line, marks) for line in block.lines]
    match block.kind:
        case "heading":
            title = " ".join(said)
            return f"{title}\n{'=-'[block.variant % 2] * 3}" if block.variant % 2 else f"{'#' * _level(block)} {title}"
        case "list" | "numbers":
            return "\n".join(f"{'-' if block.kind == 'list' else '1.'} {line}" for line in said)
        case "table":
            head, *rows = _rows(block, marks)
            return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
        case "code":
            lines = [_bare(line) for line in block.lines]
            fence = ("```", "~~~~")[block.variant % 2]
            return "\n".join([fence, *lines, fence]) if block.variant < 3 else "text:\n\n    " + "\n    ".join(lines)
        case "quote":
            return "\n".join(f"> {line}" for line in said)
        case "hidden":
            bare = [_bare(line) for line in block.lines]
            ways = ("<!-- {} -->", "[//]: # ({})", "<!--\n{}\n-->", "<script>\n{}\n</script>", "<!--\n\n{}\n\n-->")
            return ways[block.variant % len(ways)].format(" ".join(bare))
        case _:
            return "\n".join(said)


def html_of(blocks: Blocks) -> str:
    marks = {
        "bold": "<b>{}</b>",
        "italic": "<em>{}</em>",
        "code": "<code>{}</code>",
        "link": f"<a href='{ADDRESS}'>{{}}</a>",
    }
    return "\n".join(_of_html(block, {**marks, "marks": "({}) &amp; &lt;"}) for block in blocks)


HIDDEN = (
    "<!-- {} -->", "<p hidden>{}</p>", "<div style='display: none'><p>{}</p></div>", "<script>{}</script>",
    "<template><p>{}</p></template>", "<style>{}</style>", "<span style='visibility:hidden'>{}</span>",
)  # fmt: skip


def _of_html(block: Block, marks: dict[str, str]) -> str:
    said = [_said(line, marks) for line in block.lines]
    match block.kind:
        case "heading":
            return f"<h{_level(block)}>{' '.join(said)}</h{_level(block)}>"
        case "list" | "numbers":
            tag = "ul" if block.kind == "list" else "ol"
            return f"<{tag}>{''.join(f'<li>{line}</li>' for line in said)}</{tag}>"
        case "table":
            rows = ["".join(f"<td>{one}</td>" for one in row) for row in _rows(block, marks)]
            return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
        case "code":
            return "<pre>" + "\n".join(_bare(line) for line in block.lines) + "</pre>"
        case "quote":
            return f"<blockquote>{'<br/>'.join(said)}</blockquote>"
        case "hidden":
            return HIDDEN[block.variant % len(HIDDEN)].format(" ".join(_bare(line) for line in block.lines))
        case _:
            return ("<p>{}</p>", "<div>{}</div>", "<section><p>{}</p></section>")[block.variant % 3].format(
                " ".join(said)
            )


def rst(blocks: Blocks) -> bytes:
    marks = {"bold": "**{}**", "italic": "*{}*", "code": "``{}``", "link": f"`{{}} <{ADDRESS}>`__"}
    return "\n\n".join(_of_rst(block, marks) for block in blocks).encode()


def _of_rst(block: Block, marks: dict[str, str]) -> str:
    said = [_said(line, marks) for line in block.lines]
    bare = [_bare(line) for line in block.lines]
    match block.kind:
        case "heading":
            title = " ".join(bare)
            rule = "=-~"[block.variant % 3] * len(title)
            return f"{rule}\n{title}\n{rule}" if block.variant > 3 else f"{title}\n{rule}"
        case "list" | "numbers":
            return "\n".join(f"{'-' if block.kind == 'list' else '#.'} {line}" for line in said)
        case "table":
            return _grid(_rows(block, marks)) if block.variant % 2 else _list_table(_rows(block, marks))
        case "code":
            return (".. code-block:: sh\n\n   " if block.variant % 2 else "::\n\n   ") + "\n   ".join(bare)
        case "quote":
            return ".. epigraph::\n\n   " + "\n   ".join(said)
        case "hidden":
            return ("..\n   " if block.variant % 2 else ".. ") + "\n   ".join(bare)
        case _:
            return "\n".join(said)


def _grid(rows: list[list[str]]) -> str:
    widths = [max(2, *(len(row[at]) for row in rows)) + 2 for at in range(len(rows[0]))]
    rule = "+" + "+".join("-" * width for width in widths) + "+"
    lines = [
        "|" + "|".join(f" {one}".ljust(width) for one, width in zip(row, widths, strict=True)) + "|" for row in rows
    ]
    return "\n".join([rule, *(f"{line}\n{rule}" for line in lines)])


def _list_table(rows: list[list[str]]) -> str:
    lines = [f"   {'*' if not at else ' '} - {one}" for row in rows for at, one in enumerate(row)]
    return ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(lines)


def asciidoc(blocks: Blocks) -> bytes:
    marks = {"bold": "*{}*", "italic": "_{}_", "code": "`{}`", "link": f"{ADDRESS}[{{}}]"}
    forms = {
        "heading": "== {}", "list": "* {}", "numbers": ". {}", "code": "----\n{}\n----", "quote": "____\n{}\n____",
        "hidden": "////\n{}\n////",
    }  # fmt: skip
    return "\n\n".join(_marked(block, marks, forms, "|===\n{}\n|===", "| {}", " | ") for block in blocks).encode()


def org(blocks: Blocks) -> bytes:
    marks = {"bold": "*{}*", "italic": "/{}/", "code": "~{}~", "link": f"[[{ADDRESS}][{{}}]]"}
    forms = {
        "heading": "* {}", "list": "- {}", "numbers": "1. {}", "code": "#+begin_src sh\n{}\n#+end_src",
        "quote": "#+begin_quote\n{}\n#+end_quote", "hidden": "#+begin_comment\n{}\n#+end_comment",
    }  # fmt: skip
    return "\n\n".join(_marked(block, marks, forms, "{}", "| {} |", " | ") for block in blocks).encode()


def latex(blocks: Blocks) -> bytes:
    marks = {
        "bold": r"\textbf{{{}}}",
        "italic": r"\emph{{{}}}",
        "code": r"\texttt{{{}}}",
        "link": r"\href{{http://e.org}}{{{}}}",
    }
    forms = {"heading": "\\section{{{}}}", "list": "\\item {}", "numbers": "\\item {}", "hidden": "% {}"}
    around = {"list": "itemize", "numbers": "enumerate", "code": "verbatim", "quote": "quote"}
    parts = []
    for block in blocks:
        table = "\\begin{{tabular}}{{lll}}\n{}\n\\end{{tabular}}"
        part = _marked(block, marks, forms, table, "{} \\\\", " & ")
        name = around.get(block.kind)
        parts.append(f"\\begin{{{name}}}\n{part}\n\\end{{{name}}}" if name else part)
    return ("\\documentclass{article}\n\\begin{document}\n" + "\n\n".join(parts) + "\n\\end{document}\n").encode()


def _marked(block: Block, marks: dict[str, str], forms: dict[str, str], table: str, row: str, between: str) -> str:
    """Of a language whose lists have a mark a line."""
    if block.kind == "table":
        return table.format("\n".join(row.format(between.join(cells)) for cells in _rows(block, marks)))
    is_bare = block.kind in ("code", "hidden")
    said = [_bare(line) if is_bare else _said(line, marks) for line in block.lines]
    form = forms.get(block.kind, "{}")
    if block.kind in ("list", "numbers"):
        return "\n".join(form.format(line) for line in said)
    return form.format((" " if block.kind in ("heading", "hidden") else "\n").join(said))


def word(blocks: Blocks) -> bytes:
    styles = {"bold": "<w:b/>", "italic": "<w:i/>", "code": '<w:rFonts w:ascii="Courier New"/>'}
    hidden = ("<w:p>{}</w:p>", "<w:p><w:del>{}</w:del></w:p>", "<w:p><w:moveFrom>{}</w:moveFrom></w:p>")

    def runs(words: Words, extra: str = "") -> str:
        return "".join(run(f"{one} ", styles.get(style, "") + extra) for style, one in words)

    parts: list[str] = []
    for block in blocks:
        if block.kind == "table":
            rows = ["".join(f"<w:tc>{paragraph(one)}</w:tc>" for one in row) for row in _rows(block, {})]
            parts.append(f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>")
        elif block.kind == "hidden":
            said = " ".join(_bare(line) for line in block.lines)
            way = block.variant % len(hidden)
            text = run(said, "<w:vanish/>" if not way else "")
            parts.append(
                hidden[way].format(
                    text.replace("w:t>", "w:delText>").replace("<w:t ", "<w:delText ") if way == 1 else text
                )
            )
        else:
            outline = f'<w:outlineLvl w:val="{_level(block) - 1}"/>' if block.kind == "heading" else ""
            parts += [f"<w:p><w:pPr>{outline}</w:pPr>{runs(line)}</w:p>" for line in block.lines]
    return docx("".join(parts))


def slides(blocks: Blocks) -> bytes:
    made = []
    for block in blocks:
        shapes = "".join(shape(_bare(line), top=1000 * at, left=10) for at, line in enumerate(block.lines))
        tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
        made.append(xml("p:sld", tree, 'show="0"' if block.kind == "hidden" else ""))
    return pptx(*made)


def sheets(blocks: Blocks) -> bytes:
    made: list[str] = []
    states: list[str] = []
    for block in blocks:
        is_hidden = block.kind == "hidden" and block.variant % 2 > 0
        rows = [
            f'<row r="{number}" hidden="{int(is_hidden)}">'
            + "".join(cell(f"{chr(65 + at)}{number}", one) for at, one in enumerate(row) if one) + "</row>"
            for number, row in enumerate(_rows(block, {"marks": "({}) &amp; &lt;"}), 1)
        ]  # fmt: skip
        made.append(f"<sheetData>{''.join(rows)}</sheetData>")
        states.append("hidden" if block.kind == "hidden" and not is_hidden else "visible")
    return xlsx(*made, states=tuple(states))


def writer(blocks: Blocks) -> bytes:
    return odf("text", "".join(map(_of_writer, blocks)))


def _of_writer(block: Block) -> str:
    marks = {"marks": "({}) &amp; &lt;", "bold": '<text:span text:style-name="b">{}</text:span>'}
    said = [_said(line, {**marks, "link": f'<text:a xlink:href="{ADDRESS}">{{}}</text:a>'}) for line in block.lines]
    match block.kind:
        case "heading":
            return f'<text:h text:outline-level="{_level(block)}">{" ".join(said)}</text:h>'
        case "list" | "numbers":
            items = "".join(f"<text:list-item><text:p>{line}</text:p></text:list-item>" for line in said)
            return f"<text:list>{items}</text:list>"
        case "table":
            return _table_of_odf(_rows(block, marks))
        case "hidden":
            note = f"<text:p>{' '.join(map(_bare, block.lines))}</text:p>"
            return f"<text:p><office:annotation>{note}</office:annotation></text:p>"
        case _:
            return "".join(f"<text:p>{line}</text:p>" for line in said)


def _table_of_odf(rows: list[list[str]], attributes: str = "") -> str:
    start, end = '<table:table-cell office:value-type="string"><text:p>', "</text:p></table:table-cell>"
    made = ["".join(f"{start}{one}{end}" for one in row) for row in rows]
    inner = "".join(f"<table:table-row {attributes}>{row}</table:table-row>" for row in made)
    return f"<table:table>{inner}</table:table>"


def calc(blocks: Blocks) -> bytes:
    states = {"hidden": 'table:visibility="collapse"'}
    return odf("spreadsheet", "".join(_table_of_odf(_rows(one, {}), states.get(one.kind, "")) for one in blocks))


def impress(blocks: Blocks) -> bytes:
    start, end = "<draw:frame><draw:text-box><text:p>", "</text:p></draw:text-box></draw:frame>"
    shown = [block for block in blocks if block.kind != "hidden"]
    frames = ["".join(f"{start}{_bare(line)}{end}" for line in block.lines) for block in shown]
    return odf("presentation", "".join(f"<draw:page>{frame}</draw:page>" for frame in frames))


def rich(blocks: Blocks) -> bytes:
    marks = {
        "bold": r"{{\b {}}}",
        "italic": r"{{\i {}}}",
        "link": r'{{\field{{\*\fldinst HYPERLINK "http://e.org"}}{{\fldrslt {}}}}}',
    }
    parts: list[str] = []
    for block in blocks:
        if block.kind == "table":
            parts += [
                "\\trowd" + "".join(f"\\cellx{100 * at}" for at in range(1, len(row) + 1)) + "\\intbl "
                + "".join(f"{one}\\cell " for one in row) + "\\row\n" for row in _rows(block, marks)
            ]  # fmt: skip
        elif block.kind == "hidden":
            way = ("{{\\v {}}}\\par\n", "{{\\*\\unknown {}}}\\par\n", "{{\\deleted {}}}\\par\n")[block.variant % 3]
            parts.append("\\pard " + way.format(" ".join(map(_bare, block.lines))))
        else:
            parts += [f"\\pard {_said(line, marks)}\\par\n" for line in block.lines]
    return ("{\\rtf1\\ansi " + "".join(parts) + "}").encode()


def notebook(blocks: Blocks) -> bytes:
    cells = [
        {"cell_type": "code", "source": "\n".join(map(_bare, block.lines)), "outputs": []}
        if block.kind == "code"
        else {"cell_type": "markdown", "source": markdown([block]).decode()}
        for block in blocks
    ]
    return json.dumps({"cells": cells, "nbformat": 4, "metadata": {"h0x": "h1x"}}).encode()


def separated(delimiter: str) -> Callable[[Blocks], bytes]:
    def made(blocks: Blocks) -> bytes:
        text = io.StringIO()
        rows = [row for block in blocks if block.kind != "hidden" for row in _rows(block, {"marks": '{} "and",; |'})]
        width = max((len(row) for row in rows), default=0)
        csv.writer(text, delimiter=delimiter).writerows([*row, *[""] * (width - len(row))] for row in rows)
        return text.getvalue().encode()

    return made


def _data(blocks: Blocks) -> list[object]:
    """Lists, mappings and texts, as deep as kinds of blocks have it."""
    ways: tuple[Callable[[Block], object], ...] = (
        lambda block: [[_said(line, {})] for line in block.lines],
        lambda block: {f"k{at}": _said(line, {"marks": '"{}": {{}}'}) for at, line in enumerate(block.lines)},
        lambda block: [{"a": {"b": [word for _, word in line]}} for line in block.lines],
    )
    return [ways[block.variant % 3](block) for block in blocks if block.kind != "hidden"]


def json_of(blocks: Blocks) -> bytes:
    return json.dumps(_data(blocks), indent=1 if len(blocks) % 2 else None).encode()


def json_lines(blocks: Blocks) -> bytes:
    return "".join(f"{json.dumps(one)}\n" for one in _data(blocks)).encode()


def xml_of(blocks: Blocks) -> bytes:
    parts = [
        f"<!-- {' '.join(map(_bare, block.lines))} -->"
        if block.kind == "hidden"
        else "<section>"
        + "".join(f"<para>{_said(line, {'bold': '<b>{}</b>'})}</para>" for line in block.lines)
        + "</section>"
        for block in blocks
    ]
    return f"<?xml version='1.0'?><article>{''.join(parts)}</article>".encode()


def yaml_of(blocks: Blocks) -> bytes:
    return json.dumps(_data(blocks), indent=1).encode()


def cues(start: str, point: str, note: str) -> Callable[[Blocks], bytes]:
    def made(blocks: Blocks) -> bytes:
        parts = [start] if start else []
        for number, block in enumerate(blocks):
            said = "\n".join(_said(line, {"bold": "<b>{}</b>", "italic": "<i>{}</i>"}) for line in block.lines)
            if block.kind == "hidden":
                parts += [note.format(" ".join(map(_bare, block.lines)))] if note else []
            else:
                times = [f"00:00:{second:02}{point}000" for second in (number % 50, number % 50 + 2)]
                parts.append(f"{number + 1}\n{' --> '.join(times)}\n{said}")
        return ("\n\n".join(parts) + "\n").encode()

    return made


def pages(blocks: Blocks) -> bytes:
    made, page, y = [DrawnPage()], 0, 740.0
    for block in blocks:
        size = 18.0 if block.kind == "heading" else 11.0
        for line in block.lines if block.kind != "hidden" else ():
            made[page].draw(72 + 20 * (block.kind in ("list", "quote")), y, _said(line, {}), size)
            y -= 1.3 * size
        y -= 10
        if y < 120:
            made, page, y = [*made, DrawnPage()], page + 1, 740.0
    return pdf_of(*made)


MADE: dict[str, Callable[[Blocks], bytes]] = {
    ".md": markdown,
    ".mdx": lambda blocks: markdown([one for one in blocks if one.kind != "hidden"]),
    ".rst": rst,
    ".adoc": asciidoc,
    ".org": org,
    ".tex": latex,
    ".html": lambda blocks: f"<!doctype html><title>t</title><body>{html_of(blocks)}".encode(),
    ".epub": lambda blocks: epub(*(html_of([block]) for block in blocks)),
    ".eml": lambda blocks: eml(html_of(blocks).encode(), "text/html; charset=utf-8"),
    ".docx": word,
    ".pptx": slides,
    ".xlsx": sheets,
    ".odt": writer,
    ".ods": calc,
    ".odp": impress,
    ".rtf": rich,
    ".ipynb": notebook,
    ".csv": separated(","),
    ".tsv": separated("\t"),
    ".json": json_of,
    ".jsonl": json_lines,
    ".xml": xml_of,
    ".yaml": yaml_of,
    ".srt": cues("", ",", ""),
    ".vtt": cues("WEBVTT", ".", "NOTE {}"),
    ".pdf": pages,
}
