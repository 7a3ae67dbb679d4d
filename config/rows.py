"""Rows as documents: which columns are the id, the text and the version."""

import string
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from config.fields import Section


class RowColumns(Section):
    """What a source can be told whose documents are rows."""

    id: str | tuple[str, ...] = Field(
        description="Column whose value names the document, or a list of columns that do so together."
    )
    text: str | tuple[str, ...] = Field(
        description='Column, list of columns, or a template such as "# {title}\n\n{body}". Nothing stands for NULL.'
    )
    version: str | None = Field(
        default=None,
        description="Column that changes whenever the row does, such as updated_at: then a row is read only if it has."
        " Default: the row's content decides.",
    )
    format: Literal["markdown", "text", "html"] = Field(default="markdown", description="What the text is written in.")

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that name a document."""
        return (self.id,) if isinstance(self.id, str) else self.id

    @property
    def template(self) -> tuple[tuple[str, str | None], ...]:
        """Pieces of the text: what stands as it is, and the column that follows."""
        if isinstance(self.text, str) and "{" not in self.text:
            return (("", self.text),)
        if isinstance(self.text, str):
            return tuple((before, column) for before, column, _, _ in string.Formatter().parse(self.text))
        return tuple(("\n\n" if number else "", column) for number, column in enumerate(self.text))

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of the text, each once."""
        return tuple(dict.fromkeys(column for _, column in self.template if column))

    @field_validator("text")
    @classmethod
    def _is_template(cls, text: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(text, str) and "{" in text:
            try:
                fields = [(column, spec, how) for _, column, spec, how in string.Formatter().parse(text)]
            except ValueError as error:
                raise ValueError(f"{text!r} is no template ({error}); expected such as '# {{title}}'") from error
            named = [column for column, _, _ in fields if column is not None]
            if not named or not all(named) or any(spec or how for _, spec, how in fields):
                raise ValueError(f"{text!r} is no template; expected names of columns in braces, and no more there")
        return text

    @model_validator(mode="after")
    def _columns_are_named(self) -> Self:
        for setting, columns in (("id", self.ids), ("text", self.text_columns)):
            if not columns or not all(columns):
                raise ValueError(f"{setting!r} names no column; expected a column or a list of columns")
        return self
