"""What a source says of its documents: metadata beside their own, and who may read them."""

import datetime
import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from config.fields import FieldName, Section

NEAR = "near_duplicate_of"  # the metadata field with the document that a near-duplicate is near to
READERS = "readers"  # the metadata field with all who may read a record
EVERYONE = "everyone"
GROUP = "group:"
# What every record says of itself; a document's own field of such a name gets an underscore behind it.
RESERVED = frozenset(
    (
        *("source", "document", "position", "heading", "context", "start", "end", "line", "last_line"),
        *("page", "slide", "sheet", "cells", "time", "rectangle", "headrace_pipeline", NEAR),
    )
)
_OF_THE_TEXT = ("title", "caption")  # these are embedded
PLACEHOLDER = re.compile(r"\{(?:(path|folder|name|stem|suffix|source)|(folders)\[(-?\d{1,3})\]|metadata\[([\w-]+)\])\}")
_KNOWN = "{path}, {folder}, {name}, {stem}, {suffix}, {source}, {folders[0]} or {metadata[FIELD]}"

Label = str | int | float | bool | tuple[str | int | float | bool, ...]


def _label(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_label(item) for item in value)
    if isinstance(value, datetime.date):  # as YAML reads a date without quotes
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number that a store can hold")
    if not isinstance(value, str | int | float):
        raise ValueError("expected text, a number, true or false, or a list of them")
    return _template(value) if isinstance(value, str) else value


def _template(text: str) -> str:
    rest = PLACEHOLDER.sub("", text.replace("{{", "").replace("}}", ""))
    if "{" in rest or "}" in rest:
        raise ValueError(f"{text!r}: expected one of {_KNOWN} between braces; a brace itself is written twice")
    return text


def _metadata(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    if taken := next((key for key in given if key in (*RESERVED, *_OF_THE_TEXT, READERS)), None):
        instead = "say it under `acl`" if taken == READERS else "choose another name"
        raise ValueError(f"`{taken}` is what a record says of itself; {instead}")
    return {key: _label(value) for key, value in given.items()}


def _several(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


def _principals(given: tuple[str, ...] | None) -> tuple[str, ...] | None:
    names = given and tuple(_template(name.strip()) for name in given)
    if names and any(name in ("", GROUP) for name in names):
        raise ValueError(f"expected a user's name, {GROUP}NAME or {EVERYONE}")
    return names


Metadata = Annotated[
    dict[FieldName, Label] | tuple[FieldName, ...],
    BeforeValidator(_metadata),
    Field(
        default_factory=dict,
        description="Metadata of all documents beside their own, over which it wins: values, or templates such as"
        f" '{{folders[0]}}', of {_KNOWN}. A list names the only fields that are taken of their own.",
    ),
]
Principals = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Acl(Section):
    """Who may read the documents of a source. Where several say so, the first that does decides alone.

    In this order: `sidecar`, `field`, `owner`, `readers`.
    """

    readers: Principals | None = Field(
        default=None,
        description=f"Users by name, {GROUP}NAME, or {EVERYONE}; also by templates, such as '{GROUP}{{folders[0]}}'."
        " Where a document has a rule of its own, that alone holds. Without it such documents alone can be read.",
    )
    default: Principals | None = Field(default=None, description="The same as `readers`.")
    sidecar: Principals = Field(
        default=(),
        description="Files with readers, a line each or as YAML: '{path}.acl' beside each document, or a name such as"
        " .acl.yaml, of which the nearest in its folder or above holds. The first of several that exists decides.",
    )
    field: FieldName | None = Field(
        default=None, description="Metadata of a document (front matter, a column) that lists its readers."
    )
    column: FieldName | None = Field(default=None, description="The same as `field`.")
    owner: Literal["posix", "s3"] | None = Field(
        default=None,
        description="posix: whoever may read a file of this machine: its owner, its group, everyone. s3: the account"
        " that owns an object of a bucket, by its canonical id.",
    )

    @model_validator(mode="after")
    def _is_said_once(self) -> "Acl":
        for one, same in (("readers", "default"), ("field", "column")):
            if getattr(self, one) is not None and getattr(self, same) is not None:
                raise ValueError(f"`{one}` and `{same}` mean the same; leave out one of them")
        _principals(self.everybody)
        for pattern in map(_template, self.sidecar):
            if pattern.startswith("/") or ".." in pattern.split("/") or pattern.endswith("/") or not pattern:
                raise ValueError(f"`sidecar` {pattern!r}: expected a file's name, or a path below the source")
        return self

    @property
    def everybody(self) -> tuple[str, ...] | None:
        """Readers of what has no rule of its own; None where nobody reads it."""
        return self.readers if self.readers is not None else self.default

    @property
    def named(self) -> str | None:
        """The metadata field with a document's own readers."""
        return self.field or self.column
