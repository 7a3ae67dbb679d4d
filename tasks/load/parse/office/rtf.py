"""Rich Text Format: one stream of words, groups and bytes in many code pages."""

from collections.abc import Callable
from dataclasses import replace

from tasks.errors import DocumentError
from tasks.load.parse.office.blocks import MOST_HEADING_CHARACTERS, Block, Remarks, table_blocks, written
from tasks.load.parse.office.package import believable
from tasks.load.parse.office.rtf_words import KEPT, LOOKS, MARGINS, PLAIN, SIGNS, TOKEN, UNSEEN, CodePages, State, whole
from tasks.load.parse.office.runs import PAGE_FIELDS, Line, assembled
from tasks.load.parse.office.styles import BODY_LEVEL, heading_level, is_title_style
from tasks.load.parse.text import Parsed

DEEPEST = 1_000  # groups in groups
_LINE_ENDS = ("\n", "\r")


def parse_rtf(name: str, content: bytes) -> Parsed:
    """The document in Markdown; headings are known by their styles."""
    reader = _Reader(name)
    reader.read(content.decode("latin-1"))
    return reader.parsed()


class _Reader:
    """`_blocks` is what is being written to: the text, or a header, a footnote or a box within it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._remarks = Remarks()
        self._stack: list[tuple[State, Callable[[], None] | None]] = []
        self._state = State()
        self._pages = CodePages()
        self._words = self._acts()
        self._style = 0
        self._styles: dict[int, str] = {}
        self._level = BODY_LEVEL
        self._pending = bytearray()
        self._skip = 0
        self._is_star = self._is_begin = False
        self._texts: dict[str, str] = {}  # of destinations that are no text
        self._line: Line = []
        self._blocks: list[Block] = []
        self._main = self._blocks
        self._head: list[Block] = []
        self._foot: list[Block] = []
        self._below: list[Block] = []
        self._rows: list[list[list[Block]]] = []
        self._cells: list[list[Block]] = []
        self._in_table = False
        self._label = self._title = ""
        self._notes = 0

    def read(self, text: str) -> None:
        position, end = 0, len(text)
        while position < end:
            token = TOKEN.match(text, position)
            if token is None:
                break
            position = token.end()
            word, number, code, symbol, brace, _, plain = token.groups()
            if code:
                self._byte(int(code, 16))
            elif plain:
                self._plain(plain)
            elif brace:
                self._flush()
                self._open() if brace == "{" else self._close()
            elif word == "bin":
                position += max(0, int(number or 0))
            elif word or symbol:
                self._control("par" if symbol in _LINE_ENDS else word or symbol, int(number) if number else None)

    def parsed(self) -> Parsed:
        self._flush()
        self._paragraph()
        self._end_table()
        foot = [Block("end"), *self._foot] if self._foot else []
        title = believable(self._texts.get("title", ""))
        return written([*self._head, *self._blocks, *self._below, *foot], self._title or title, self._remarks)

    def _open(self) -> None:
        if len(self._stack) > DEEPEST:
            raise DocumentError("too-deep", f"{self._name} has more than {DEEPEST:,} groups in groups; exclude it")
        self._stack.append((self._state, None))
        self._is_star, self._is_begin = False, True

    def _close(self) -> None:
        if self._stack:
            state, ended = self._stack.pop()
            if ended:
                ended()
            self._state = state

    def _byte(self, value: int) -> None:
        if self._skip:
            self._skip -= 1
        else:
            self._pending.append(value)

    def _plain(self, text: str) -> None:
        skipped = min(self._skip, len(text))
        self._skip -= skipped
        self._pending += text[skipped:].encode("latin-1")
        self._is_star = self._is_begin = False

    def _flush(self) -> None:
        """Decode the bytes so far: a character of some code pages is two of them."""
        if self._pending:
            pending, self._pending = bytes(self._pending), bytearray()
            self._put(pending.decode(self._state.encoding or self._pages.usual, "replace"))

    def _put(self, text: str) -> None:
        destination = self._state.destination
        if not destination:
            if not self._state.look.is_hidden:
                self._line.append((self._state.look, text))
        elif destination in KEPT:
            self._texts[destination] = self._texts.get(destination, "") + text
            if destination == "stylesheet" and ";" in text:
                self._styles[self._style] = self._texts.pop(destination).strip("; \t").lower()

    def _control(self, word: str, value: int | None) -> None:
        if word not in ("u", "'") and self._skip and word in SIGNS:
            self._skip -= 1
            return
        self._flush()
        is_begin, self._is_begin = self._is_begin, False
        if word == "*":
            self._is_star = is_begin
        elif word in SIGNS:
            self._put(SIGNS[word])
        elif word == "u" and value is not None:
            self._put(chr(value % 65536).strip("\0"))
            self._skip = self._state.unicode_bytes
        elif (act := self._words.get(word)) is not None:
            act(value)
            self._is_star = False
        elif word in UNSEEN or word in MARGINS or self._is_star or word == "upr":
            self._begin(word)
        elif (look := LOOKS.get(word)) is not None:
            self._state = replace(self._state, look=look(self._state.look, value != 0))

    def _begin(self, word: str) -> None:
        """What follows in this group is no text of the document's, or stands elsewhere."""
        self._is_star = False
        if word == "annotation":
            self._remarks["comment is left out"] += 1
        if word == "pict" and not self._state.destination:
            self._remarks["picture has no description"] += 1
        if word in MARGINS and not self._state.destination:
            self._elsewhere(self._head if word.startswith("header") else self._foot)
        else:
            self._texts.pop(word, None)
            self._state = replace(self._state, destination=word)

    def _elsewhere(self, target: list[Block], mark: str = "") -> None:
        """Write the rest of this group to the target, and then go on where we were."""
        outer = self._line, self._blocks, self._rows, self._cells, self._in_table
        style = self._style, self._level
        self._line, self._blocks, self._rows, self._cells, self._in_table = [], [], [], [], False

        def end() -> None:
            self._paragraph()
            self._end_table()
            blocks = [block for block in self._blocks if block.form != "blank"]
            self._line, self._blocks, self._rows, self._cells, self._in_table = outer
            self._style, self._level = style
            if mark and blocks:
                blocks[0] = blocks[0]._replace(text=f"{mark}: {blocks[0].text.strip()}")
            is_margin = target is self._head or target is self._foot
            target.extend(block for block in blocks if not is_margin or block not in target)

        if self._stack:
            self._stack[-1] = (self._stack[-1][0], end)

    def _paragraph(self, _value: int | None = None) -> None:
        if self._state.destination:
            return
        line, self._line, label, self._label = self._line, [], self._label.strip(), ""
        text = whole(assembled(line))
        name = self._styles.get(self._style, "")
        level = min(self._level, heading_level(name)) if text.strip() else BODY_LEVEL
        is_short = len(text) <= MOST_HEADING_CHARACTERS
        if not self._in_table:
            self._end_table()
        if not text.strip():
            block = Block("blank")
        elif (level < BODY_LEVEL or is_title_style(name)) and is_short and not self._in_table:
            block = Block("heading", f"{label} {text}", 1 if is_title_style(name) else level + 1)
            self._title = self._title or (" ".join(text.split()) if is_title_style(name) else "")
        elif label:
            is_bullet = not any(character.isalnum() for character in label)
            block = Block("item", f"{'-' if is_bullet else label} {text.strip()}")
        else:
            block = Block("paragraph", text)
        (self._cells[-1] if self._in_table and self._cells else self._blocks).append(block)
        if self._blocks is self._main and not self._in_table:
            self._blocks += self._below
            self._below.clear()

    def _end_cell(self, _value: int | None) -> None:
        if self._state.destination:
            return
        self._in_table = True
        if not self._cells:
            self._cells.append([])
        self._paragraph()
        self._cells.append([])

    def _end_row(self, _value: int | None) -> None:
        if self._cells and not self._state.destination:
            rows = [[block for block in cell if block.form != "blank"] for cell in self._cells[:-1]]
            self._rows.append(rows)
            self._cells = []

    def _end_table(self) -> None:
        if self._cells:
            self._end_row(None)
        if self._rows:
            self._blocks += table_blocks(self._rows)
            self._rows = []

    def _in_cell(self, _value: int | None) -> None:
        self._in_table = True
        if not self._cells:
            self._cells.append([])

    def _plain_paragraph(self, _value: int | None) -> None:
        if self._state.destination != "stylesheet":
            self._in_table, self._style, self._level = False, 0, BODY_LEVEL

    def _set_style(self, value: int | None) -> None:
        self._style = value or 0

    def _set_level(self, value: int | None) -> None:
        if self._state.destination != "stylesheet":
            self._level = min(value or 0, BODY_LEVEL)

    def _set_font(self, value: int | None) -> None:
        self._pages.font = value or 0
        if self._state.destination != "fonttbl":
            self._state = replace(self._state, encoding=self._pages.of_font)

    def _footnote(self, _value: int | None) -> None:
        if not self._state.destination:
            self._notes += 1
            mark = f"[^{self._notes}]"
            self._line.append((PLAIN, mark))
            self._elsewhere(self._below, mark)

    def _number(self, _value: int | None) -> None:
        """The number or bullet of an item, as it was last shown."""
        if not self._state.destination and self._stack:
            self._texts.pop("label", None)
            self._state = replace(self._state, destination="label")

            def end() -> None:
                self._label = self._texts.pop("label", "")

            self._stack[-1] = (self._stack[-1][0], end)

    def _result(self, _value: int | None) -> None:
        words = self._texts.pop("fldinst", "").split()
        if words and words[0].upper() in PAGE_FIELDS and not self._state.destination:
            self._state = replace(self._state, destination="page")

    def _box(self, _value: int | None) -> None:
        """The text of a shape, in a group of what else is no text."""
        self._state = replace(self._state, destination="")
        self._elsewhere(self._blocks)

    def _set_unicode_bytes(self, value: int | None) -> None:
        self._state = replace(self._state, unicode_bytes=value or 0)

    def _set_plain(self, _value: int | None) -> None:
        self._state = replace(self._state, look=PLAIN)

    def _acts(self) -> dict[str, Callable[[int | None], None]]:
        return {
            **dict.fromkeys(("par", "sect", "page"), self._paragraph),
            **dict.fromkeys(("cell", "nestcell"), self._end_cell),
            "row": self._end_row,
            "intbl": self._in_cell,
            "pard": self._plain_paragraph,
            "s": self._set_style,
            "outlinelevel": self._set_level,
            "f": self._set_font,
            "fcharset": self._pages.set_charset,
            "ansicpg": self._pages.set_usual,
            "footnote": self._footnote,
            **dict.fromkeys(("listtext", "pntext"), self._number),
            "fldrslt": self._result,
            "shptxt": self._box,
            "uc": self._set_unicode_bytes,
            "plain": self._set_plain,
        }
