"""Templates of settings, filled with what is known of one document."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from config.labels import PLACEHOLDER, Label
from tasks.load.parse.front_matter import typed
from tasks.records import DocumentRef, Metadata, Scalar
from tasks.system.file_system import escaped

Values = Mapping[str, Scalar | Sequence[Scalar]]
_PARTS = re.compile(rf"(\{{\{{|\}}\}})|{PLACEHOLDER.pattern}")
_BRACES = {"{{": "{", "}}": "}"}


def path_values(ref: DocumentRef, metadata: Metadata | None = None) -> Values:
    """What placeholders mean for a document, by their text without braces; what it does not have is left out."""
    path = PurePosixPath(escaped(ref.path))
    named = {
        "path": str(path),
        "folder": "/".join(path.parts[:-1]),
        "name": path.name,
        "stem": path.stem,
        "suffix": path.suffix,
        "source": ref.source,
    }
    folders = path.parts[:-1]
    indexed = {f"folders[{index}]": folders[index] for index in range(-len(folders), len(folders))}
    own = {f"metadata[{name}]": value for name, value in (metadata or {}).items()}
    return {name: value for name, value in {**named, **indexed, **own}.items() if value != ""}


def rendered(template: str, values: Values) -> Scalar | Sequence[Scalar] | None:
    """The text; a placeholder alone gives its value, numbers as such. None where one has no value."""
    if PLACEHOLDER.fullmatch(template):
        value = values.get(template[1:-1])
        return typed(value) if isinstance(value, str) else value
    pieces: list[str] = []
    end = 0
    for match in _PARTS.finditer(template):
        piece = _BRACES.get(match[0]) or values.get(match[0][1:-1])
        if piece is None or isinstance(piece, list | tuple):
            return None
        pieces += [template[end : match.start()], str(piece)]
        end = match.end()
    return "".join([*pieces, template[end:]])


def labels_of(labels: Mapping[str, Label], values: Values) -> dict[str, Scalar | Sequence[Scalar]]:
    """The labels with their values, without those that have none for this document."""
    filled = {name: _filled(label, values) for name, label in labels.items()}
    return {name: value for name, value in filled.items() if value is not None}


def _filled(label: Label, values: Values) -> Scalar | Sequence[Scalar] | None:
    if isinstance(label, tuple):
        items = [rendered(item, values) if isinstance(item, str) else item for item in label]
        return [item for item in items if isinstance(item, str | int | float)]
    return rendered(label, values) if isinstance(label, str) else label
