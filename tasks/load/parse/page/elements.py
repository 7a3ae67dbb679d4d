"""What each element of HTML does to the text, by name."""

from selectolax.lexbor import LexborNode

from tasks.load.parse.page.flow import Block, Flow
from tasks.load.parse.page.inline import BREAK
from tasks.load.parse.page.listing import NUMBERS
from tasks.load.parse.page.maths import without_style
from tasks.load.parse.page.names import names
from tasks.load.parse.page.phrases import PHRASES
from tasks.load.parse.page.reader import Attributes, Begin, End, Reader, nothing
from tasks.load.parse.page.table import Cell, Table, plain

_SHOWN_INPUTS = names("text search url tel email number date time datetime-local month week submit button reset")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".bmp")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"))
_ROMAN_ONES = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
_LISTINGS = frozenset(("hljs-ln", "js-file-line-container"))


def _heading(reader: Reader, node: LexborNode, attributes: Attributes) -> End:
    reader.flow.flush()
    tag = node.tag or ""
    level = tag[1:] if tag[0] == "h" else attributes.get("aria-level") or ""
    reader.flow.level = int(level) if level in ("1", "2", "3", "4", "5", "6") else 2

    def end() -> None:
        reader.flow.flush()
        reader.flow.level = 0

    return end


def _list(reader: Reader, node: LexborNode, attributes: Attributes) -> End:
    reader.flow.flush()
    kind = (attributes.get("type") or "1")[:1] if node.tag == "ol" else ""
    items = sum(child.tag == "li" for child in node.iter()) if "reversed" in attributes else 1
    reader.lists.append((kind, _number(attributes.get("start"), items) - 1))

    def end() -> None:
        reader.flow.flush()
        reader.lists.pop()

    return end


def _item(reader: Reader, node: LexborNode, attributes: Attributes) -> End:
    kind, number = reader.lists[-1] if reader.lists else ("", 0)
    marker = "- "
    if kind:
        step = -1 if node.parent is not None and "reversed" in node.parent.attributes and number > 0 else 1
        number = _number(attributes.get("value"), number + 1)
        reader.lists[-1] = (kind, number - (2 if step < 0 else 0))
        marker = f"{_numeral(kind, number)}. "
    reader.flow.open(marker, " " * len(marker))
    return reader.flow.close


def _number(text: str | None, otherwise: int) -> int:
    digits = (text or "").strip()
    return int(digits) if digits.lstrip("+-").isdecimal() and len(digits) < 10 else otherwise


def _numeral(kind: str, number: int) -> str:
    if kind in "aA" and 0 < number < 27:
        return chr(ord(kind) + number - 1)
    if kind in "iI" and 0 < number < 4000:
        text = ""
        for value, letters in (*_ROMAN, *_ROMAN_ONES):
            count, number = divmod(number, value)
            text += letters * count
        return text.upper() if kind == "I" else text
    return str(number)


def _term(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    reader.flow.open("", "")
    return reader.flow.close


def _description(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    reader.flow.open(": ", "")
    return reader.flow.close


def _quote(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    reader.flow.open("", "> ")
    return reader.flow.close


def _rule(reader: Reader, _node: LexborNode, _attributes: Attributes) -> None:
    reader.flow.flush()
    blocks = reader.flow.blocks
    if blocks and blocks[-1].form != "rule":
        reader.flow.add(Block("---", "rule"))


def _break(reader: Reader, _node: LexborNode, _attributes: Attributes) -> None:
    reader.flow.words.append(BREAK)


def _pre(reader: Reader, node: LexborNode, _attributes: Attributes) -> None:
    reader.pre(node)


def _aside(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    flow = reader.flow
    flow.flush()
    flow.asides += 1

    def end() -> None:
        flow.flush()
        flow.asides -= 1

    return end


def _nav(reader: Reader, node: LexborNode, _attributes: Attributes) -> End | None:
    return reader.navigation(node)


def _picture(reader: Reader, _node: LexborNode, attributes: Attributes) -> None:
    alternative = " ".join((attributes.get("alt" if "alt" in attributes else "title") or "").split())
    if attributes.get("role") in ("presentation", "none"):
        return
    if not alternative:
        reader.unread["img"] += 1
    elif " " in alternative or not alternative.lower().endswith(_PICTURES):
        reader.say(without_style(alternative))


def _input(reader: Reader, _node: LexborNode, attributes: Attributes) -> None:
    kind = (attributes.get("type") or "text").strip().lower()
    if kind in ("checkbox", "radio"):
        reader.say("[x]" if "checked" in attributes else "[ ]")
    elif kind == "image":
        reader.say(attributes.get("alt") or "")
    elif kind in _SHOWN_INPUTS or kind not in ("hidden", "password", "file", "color", "range"):
        reader.say(attributes.get("value") or "")


def _typed(reader: Reader, node: LexborNode, _attributes: Attributes) -> None:
    reader.flow.flush()
    reader.say(node.text().replace("\n", BREAK))
    reader.flow.flush()


def _spaced(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    return reader.spaced()


def _silent(_reader: Reader, _node: LexborNode, _attributes: Attributes) -> None:
    """Drawn, not written."""


def _group(reader: Reader, _node: LexborNode, attributes: Attributes) -> End:
    end = reader.block()
    reader.say(attributes.get("label") or "")
    return end


def _option(reader: Reader, node: LexborNode, attributes: Attributes) -> End | None:
    before = node.prev
    while before is not None and not before.is_element_node:
        before = before.prev
    reader.flow.words.append(" " if before is None else ", ")
    if not node.text().strip() and attributes.get("label"):
        reader.say(attributes.get("label") or "")
        return None
    return nothing


def _table(reader: Reader, node: LexborNode, attributes: Attributes) -> End | None:
    if not _LISTINGS.isdisjoint((attributes.get("class") or "").split()):
        reader.pre(node)
        return None
    parent = reader.flow
    parent.flush()
    table = Table(attributes.get("role") in ("presentation", "none"))
    reader.tables.append(table)
    reader.flow = Flow()  # for what stands between cells, which is nothing on real pages

    def end() -> None:
        reader.tables.pop()
        reader.flow = parent
        blocks, remark = table.blocks()
        if remark:
            reader.remarks.append(remark)
        parent.blocks += blocks
        if reader.tables:
            reader.tables[-1].inner = max(reader.tables[-1].inner, table.inner + 1)

    return end


def _row(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    if reader.tables:
        table = reader.tables[-1]
        table.rows.append([])
        table.heads += table.in_head
    return nothing


def _head(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    if not reader.tables:
        return nothing
    table = reader.tables[-1]
    table.in_head = True

    def end() -> None:
        table.in_head = False

    return end


def _cell(reader: Reader, node: LexborNode, attributes: Attributes) -> End | None:
    if not reader.tables or not reader.tables[-1].rows:
        return reader.block()
    if not NUMBERS.isdisjoint((attributes.get("class") or "").split()):
        return None
    outer = reader.flow
    reader.flow = flow = Flow()
    row = reader.tables[-1].rows[-1]
    rows, columns = _number(attributes.get("rowspan"), 1), _number(attributes.get("colspan"), 1)

    def end() -> None:
        flow.flush()
        reader.flow = outer
        covered = 65_534 if rows == 0 else max(1, rows)
        row.append(Cell(flow.blocks, covered, min(max(1, columns), 1000), node.tag == "th"))

    return end


def _caption(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    if not reader.tables:
        return reader.block()
    outer, table = reader.flow, reader.tables[-1]
    reader.flow = flow = Flow()

    def end() -> None:
        flow.flush()
        reader.flow = outer
        if text := plain(flow.blocks):
            table.caption.append(Block(text))

    return end


BEGINS: dict[str, Begin] = {
    **PHRASES,
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _heading),
    **dict.fromkeys(("ul", "ol", "menu", "dir"), _list),
    **dict.fromkeys(("button", "select", "label", "text", "foreignObject", "output"), _spaced),
    **dict.fromkeys(("pre", "listing", "xmp", "plaintext"), _pre),
    **dict.fromkeys(("header", "footer", "aside"), _aside),
    **dict.fromkeys(("img", "image"), _picture),
    **dict.fromkeys(("td", "th"), _cell),
    **dict.fromkeys(("progress", "meter", "wbr"), _silent),
    "li": _item,
    "dt": _term,
    "dd": _description,
    "blockquote": _quote,
    "hr": _rule,
    "br": _break,
    "nav": _nav,
    "input": _input,
    "textarea": _typed,
    "optgroup": _group,
    "option": _option,
    "table": _table,
    "tr": _row,
    "thead": _head,
    "caption": _caption,
}
