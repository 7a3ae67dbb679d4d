"""Source code: where its classes, functions and the like are, by the grammar of its language.

Grammars are native code that meets hostile files, so they run in the process for parsers, under its limits.
"""

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate, pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from tasks.errors import DocumentError
from tasks.load.parse.text import Parsed
from tasks.places import Heading

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query

CODE_PARSER = "tasks.load.parse.code:parse_code"
MOST_BYTES = 1_000_000  # of a file that is parsed: larger ones are made by machines
MOST_SECONDS = 10.0  # of the processor: a megabyte of what people write takes one
LINE_FEED = 10
STRETCH_BYTES = 65_536
LONGEST_NAME = 100

# The package of a suffix, and the function of it that answers the language.
_GRAMMARS = {
    **dict.fromkeys((".py", ".pyi"), "python:language"),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), "javascript:language"),
    **dict.fromkeys((".ts", ".mts", ".cts"), "typescript:language_typescript"),
    **dict.fromkeys((".cpp", ".hpp", ".cc", ".cxx", ".hh", ".h"), "cpp:language"),
    **dict.fromkeys((".kt", ".kts"), "kotlin:language"),
    **dict.fromkeys((".sh", ".bash"), "bash:language"),
    **{suffix: f"{suffix[1:]}:language" for suffix in (".c", ".go", ".java", ".scala", ".swift")},
    ".cs": "c_sharp:language",
    ".php": "php:language_php",
    ".rb": "ruby:language",
    ".rs": "rust:language",
    ".tsx": "typescript:language_tsx",
}
_SCOPES = (  # the kinds of node that are one in some grammar
    "abstract_class_declaration", "annotation_type_declaration", "class", "class_declaration", "class_definition",
    "class_specifier", "compact_constructor_declaration", "companion_object", "constructor_declaration",
    "deinit_declaration", "destructor_declaration", "enum_declaration", "enum_definition", "enum_item",
    "enum_specifier", "extension_definition", "function_declaration", "function_definition", "function_item",
    "generator_function_declaration", "impl_item", "init_declaration", "interface_declaration", "internal_module",
    "lexical_declaration", "local_function_statement", "macro_definition", "method", "method_declaration",
    "method_definition", "mod_item", "module", "module_declaration", "namespace_declaration",
    "namespace_definition", "object_declaration", "object_definition", "operator_declaration", "package_object",
    "property_declaration", "protocol_declaration", "record_declaration", "secondary_constructor",
    "singleton_class", "singleton_method", "struct_declaration", "struct_item", "struct_specifier",
    "trait_declaration", "trait_definition", "trait_item", "type_declaration", "type_definition", "union_item",
    "union_specifier", "variable_declaration",
)  # fmt: skip
_VARIABLES = frozenset(("lexical_declaration", "variable_declaration"))
_ANONYMOUS = frozenset(("struct_specifier", "union_specifier", "enum_specifier", "class", "class_specifier"))
_WRAPPERS = frozenset(
    ("decorated_definition", "export_statement", "template_declaration", "ambient_declaration", "type_definition")
)
_FUNCTIONS = frozenset(("arrow_function", "function_expression", "function", "class", "generator_function"))
_BODY = re.compile(r"(?:\w+_)?(?:body|block|declaration_list|suite|statements)")
_ABOVE = re.compile(r"\w*comment|attribute(?:_item|_list|_group|_declaration)?|decorator|annotation|modifiers")
_INDENT = re.compile(rb"[ \t]*+")
_TRAILING = re.compile(rb"[ \t;,]*+(?:\n[ \t]*+(?=\n|\Z))*+\n?")


class _Scope(NamedTuple):
    """In bytes."""

    start: int
    end: int
    signature_end: int
    title: str


def grammar(name: str) -> str:
    """The grammar for a file of this name, `package:function`; empty where there is none, or it is not installed."""
    path = _GRAMMARS.get(PurePosixPath(name).suffix.lower(), "")
    return path if path and _is_installed(path.partition(":")[0]) else ""


@cache
def _is_installed(package: str) -> bool:
    return all(find_spec(name) is not None for name in ("tree_sitter", f"tree_sitter_{package}"))


def parse_code(name: str, content: bytes) -> Parsed:
    """The places alone, as headings: from where a class or function begins to where its signature ends.

    One without a title says where the definition of its level ends. DocumentError for what no grammar can be asked.
    """
    path = grammar(name)
    if not path or len(content) > MOST_BYTES:
        raise DocumentError("no-grammar", f"{name} has no grammar, or more than {MOST_BYTES:,} bytes")
    limit = time.process_time() + MOST_SECONDS
    nodes = _nodes(path, content, lambda: time.process_time() > limit)
    if nodes is None:
        raise DocumentError("too-intricate", f"{name} takes its grammar more than {MOST_SECONDS:g} s; exclude it")
    return Parsed("", headings=tuple(_in_characters(_headings(_scopes(nodes, content)), content)))


@cache
def _language(path: str) -> "tuple[Language, Query]":
    """With the question for its definitions, which takes longer to prepare than most files take to be read."""
    from tree_sitter import Language, Query

    package, _, function = path.partition(":")
    grammar_itself: object = getattr(import_module(f"tree_sitter_{package}"), function)()
    language = Language(grammar_itself)
    names = {language.node_kind_for_id(number) or "" for number in range(language.node_kind_count)}
    kinds = {
        "scope": names.intersection(_SCOPES),
        "wrapper": names.intersection(_WRAPPERS),
        "above": set(filter(_ABOVE.fullmatch, names)),
    }
    named = ((role, [kind for kind in some if language.id_for_node_kind(kind, True)]) for role, some in kinds.items())
    patterns = (f"[{' '.join(f'({kind})' for kind in sorted(some))}] @{role}" for role, some in named if some)
    return language, Query(language, "\n".join(patterns))


def _nodes(path: str, content: bytes, is_late: Callable[[], bool]) -> "Mapping[str, Sequence[Node]] | None":
    """What the grammar finds, by role; None where it takes too long."""
    from tree_sitter import Parser, QueryCursor

    language, query = _language(path)
    try:
        tree = Parser(language).parse(
            lambda offset, _: content[offset : offset + STRETCH_BYTES],
            progress_callback=lambda _offset, _has_error: is_late(),
        )
    except ValueError:  # so it says that it was stopped
        return None
    root = tree.root_node
    # Without a callback, which kills the process: on a tree without end it goes on up to the limit of the process.
    nodes = QueryCursor(query).captures(root)
    nodes["scope"] = [node for node in nodes.get("scope", []) if node.id != root.id]  # one grammar calls it a module
    return nodes


def _scopes(nodes: "Mapping[str, Sequence[Node]]", content: bytes) -> list[_Scope]:
    """In order, with what is wrapped round each and stands right above it.

    No node is asked for its parent or for its neighbours: to find them takes as long as there are neighbours.
    """
    scopes = sorted(filter(None, (_scope(node, content) for node in nodes["scope"])))
    starts = [scope.start for scope in scopes]
    for wrapper in sorted(nodes.get("wrapper", []), key=lambda node: -node.start_byte):
        at = bisect_left(starts, wrapper.start_byte)
        if at < len(scopes) and wrapper.end_byte - 1 <= -scopes[at].end <= wrapper.end_byte:
            scopes[at] = scopes[at]._replace(start=wrapper.start_byte)
    above = _above(nodes.get("above", []), content)
    return sorted(_widened(scope, above, content) for scope in scopes)


def _scope(node: "Node", content: bytes) -> _Scope | None:
    """What has a name and takes more than a line; a variable, where it is a function."""
    named = node
    if node.type in _VARIABLES:
        named = node.named_children[0]
        value = named.child_by_field_name("value")
        if not value or value.type not in _FUNCTIONS:
            return None
    if node.end_point.row == node.start_point.row or not (title := _title(named, content)):
        return None
    signature_end = min(max(node.start_byte, _signature_end(named, content)), node.end_byte)
    return _Scope(node.start_byte, -node.end_byte, signature_end, title)


def _title(node: "Node", content: bytes) -> str:
    """Its name; what has none, like a constructor, is called by its first word."""
    name = (
        node.child_by_field_name("name") or node.child_by_field_name("declarator") or node.child_by_field_name("type")
    )
    while name and (inner := name.child_by_field_name("declarator")):
        name = inner
    if name is None and node.type == "type_declaration":
        name = node.named_children[0].child_by_field_name("name") if node.named_children else None
    if name is None and node.type in _ANONYMOUS:
        return ""
    named_by = name or node
    text = content[named_by.start_byte : min(named_by.end_byte, named_by.start_byte + LONGEST_NAME)]
    words = text.decode(errors="ignore").split()
    return (" ".join(words) if name else words[0]) if words else ""


def _signature_end(node: "Node", content: bytes) -> int:
    """Where its body begins, or else its first line ends."""
    value = node.child_by_field_name("value")
    body = (value or node).child_by_field_name("body")
    body = body or next((child for child in node.named_children if _BODY.fullmatch(child.type)), None)
    if body:
        return body.start_byte
    end = content.find(b"\n", node.start_byte)
    return end if end >= 0 else len(content)


def _above(nodes: Sequence["Node"], content: bytes) -> dict[int, int]:
    """Where the comments and attributes that have their lines for themselves begin, by the start of the line below."""
    starts: dict[int, int] = {}
    for node in nodes:
        start = _line_start(content, node.start_byte)
        below = content.find(b"\n", node.end_byte - 1) + 1
        if (start == 0 or content[start - 1] == LINE_FEED) and below and not content[node.end_byte : below].strip():
            starts[below] = min(start, starts.get(below, start))
    return starts


def _widened(scope: _Scope, above: dict[int, int], content: bytes) -> _Scope:
    """With what stands above it, indented alike, and with the rest of its last line and blank lines below."""
    first = start = _line_start(content, scope.start)
    indent = _indent(content, start)
    while (before := above.get(start)) is not None and _indent(content, before) == indent:
        start = before
    if start < first:
        above[first] = start  # what begins on the same line need not go the same way
    match = _TRAILING.match(content, -scope.end)
    return scope._replace(start=start, end=-match.end() if match else scope.end)


def _indent(content: bytes, at: int) -> bytes:
    match = _INDENT.match(content, at)
    return match[0] if match else b""


def _line_start(content: bytes, at: int) -> int:
    """Of the line, where nothing but white space stands before it there."""
    start = content.rfind(b"\n", 0, at) + 1
    return at if content[start:at].strip() else start


def _headings(scopes: Sequence[_Scope]) -> Iterator[Heading]:
    """In order; what reaches beyond the one around it is cut there."""
    ends: list[int] = []
    for start, end, signature_end, title in scopes:
        while ends and ends[-1] <= start:
            yield Heading(ends[-1], ends[-1], len(ends), "")
            ends.pop()
        ends.append(min(-end, ends[-1]) if ends else -end)
        yield Heading(start, signature_end, len(ends), title)
    while ends:
        yield Heading(ends[-1], ends[-1], len(ends), "")
        ends.pop()


def _in_characters(headings: Iterator[Heading], content: bytes) -> Iterator[Heading]:
    """The same with places in the text."""
    if content.isascii():
        yield from headings
        return
    all_of_them = list(headings)
    places = sorted({place for heading in all_of_them for place in heading[:2]} | {0})
    counts = accumulate((len(content[low:high].decode(errors="ignore")) for low, high in pairwise(places)), initial=0)
    characters = dict(zip(places, counts, strict=True))
    yield from (one._replace(start=characters[one.start], end=characters[one.end]) for one in all_of_them)
