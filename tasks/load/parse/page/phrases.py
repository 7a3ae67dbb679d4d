"""What the elements within a line do to the text, by name."""

from selectolax.lexbor import LexborNode

from tasks.load.parse.page.inline import LINK, code, lowered, one_line, raised
from tasks.load.parse.page.maths import formula
from tasks.load.parse.page.reader import Attributes, Begin, End, Reader, is_permalink, nothing, wrapped


def _raised(reader: Reader, node: LexborNode, _attributes: Attributes) -> End:
    flow, mark = reader.flow, reader.flow.mark()
    before = flow.last()
    link = node if node.tag == "a" else node.parent if node.parent and node.parent.tag == "a" else node.css_first("a")
    is_note = link is not None and "#" in (link.attributes.get("href") or "")

    def end() -> None:
        if text := flow.take(mark):
            flow.words.append(raised(text, before, is_note))

    return end


def _lowered(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    flow, mark = reader.flow, reader.flow.mark()
    before = flow.last()

    def end() -> None:
        if text := flow.take(mark):
            flow.words.append(lowered(text, before))

    return end


def _code(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    flow, mark = reader.flow, reader.flow.mark()

    def end() -> None:
        if text := flow.take(mark):
            flow.words.append(code(text))

    return end


def _cited(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    flow, mark = reader.flow, reader.flow.mark()

    def end() -> None:
        if text := flow.take(mark):
            flow.words.append(wrapped(text, "“", "”"))

    return end


def _struck(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    return reader.strike(nothing)


def _abbreviation(reader: Reader, _node: LexborNode, attributes: Attributes) -> End:
    meaning = " ".join((attributes.get("title") or "").split())
    flow, mark = reader.flow, reader.flow.mark()
    if not meaning or meaning in reader.explained:
        return nothing
    reader.explained.add(meaning)

    def end() -> None:
        if text := flow.take(mark):
            flow.words.append(text if text.strip() == meaning else wrapped(text, "", f" ({meaning})"))

    return end


def _link(reader: Reader, node: LexborNode, attributes: Attributes) -> End:
    flow = reader.flow
    before = node.prev
    is_raised = node.parent is not None and node.parent.tag == "sup"
    if before is not None and before.tag == "a":
        flow.words.append(LINK)
    if not (attributes.get("href") or "").startswith("#") and "class" not in attributes:
        return nothing
    if _is_note(attributes) and not is_raised:
        return _raised(reader, node, attributes)
    mark = flow.mark()
    is_place = "#" in (attributes.get("href") or "")

    def end() -> None:
        if (text := flow.take(mark)) and not (is_place and is_permalink(one_line(text))):
            flow.words.append(text)

    return end


def _is_note(attributes: Attributes) -> bool:
    """Whether a link is the number of a note, which books raise by their style sheets."""
    return "noteref" in (attributes.get("role") or "") + (attributes.get("epub:type") or "")


def _ruby(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    flow = reader.flow
    reader.readings.append([])

    def end() -> None:
        readings = reader.readings.pop()
        if readings:
            flow.words.append(f"({''.join(readings)})")

    return end


def _reading(reader: Reader, _node: LexborNode, _attributes: Attributes) -> End:
    flow, mark = reader.flow, reader.flow.mark()

    def end() -> None:
        if reader.readings and (text := flow.take(mark)):
            reader.readings[-1].append(" ".join(text.split()))

    return end


def _formula(reader: Reader, node: LexborNode, _attributes: Attributes) -> None:
    reader.write(formula(node))


def _script(reader: Reader, node: LexborNode, attributes: Attributes) -> None:
    if (attributes.get("type") or "").startswith("math/tex"):
        reader.write(" ".join(node.text().split()))


def _span_of_drawing(reader: Reader, node: LexborNode, attributes: Attributes) -> End:
    shift = attributes.get("baseline-shift")
    if shift in ("super", "sub"):
        return (_raised if shift == "super" else _lowered)(reader, node, attributes)
    return reader.spaced() if attributes.keys() & {"x", "y", "dy"} else nothing


PHRASES: dict[str, Begin] = {
    "sup": _raised,
    "sub": _lowered,
    **dict.fromkeys(("code", "tt", "samp"), _code),
    **dict.fromkeys(("del", "s", "strike"), _struck),
    **dict.fromkeys(("abbr", "acronym"), _abbreviation),
    "q": _cited,
    "a": _link,
    "ruby": _ruby,
    "rt": _reading,
    "math": _formula,
    "script": _script,
    "tspan": _span_of_drawing,
}
