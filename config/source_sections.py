"""What every source can be told, whatever its kind."""

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from config.fields import Section
from config.labels import Acl, Metadata

PrivateNetwork = bool | tuple[str, ...]
PRIVATE_NETWORK = (
    "true lets the configured host have an address that is not public, and another port; a list names what may be"
    " reached beside the open internet: networks, addresses and hosts, such as 10.0.0.0/8 or wiki.internal:8080."
)


class SourceSection(Section):
    """What every source can be told, whatever its kind."""

    name: str = Field(
        default="", pattern=r"^[^:]*$", description="First part of the document ids. Default: the path as written."
    )
    canary: str | None = Field(
        default=None, description="Path of a document that is always there; without it the listing is not believed."
    )
    silent_after_hours: float | None = Field(
        default=None,
        gt=0,
        description="Hours without a new, changed or deleted document after which runs say that the source is silent,"
        " and an alert can be raised. Default: never.",
    )
    max_bytes: int = Field(default=50_000_000, gt=0, description="Larger documents are set aside, not read.")
    metadata: Metadata
    acl: Acl | None = Field(
        default=None,
        description="Who may read the documents. Once one source has it, a document without a rule is nobody's.",
    )

    @field_validator("acl", mode="before")
    @classmethod
    def _says_something(cls, given: Any) -> Any:
        """An empty one must not open what it was to close."""
        if given is None:
            raise ValueError("it is empty; expected `readers`, `sidecar`, `field` or `owner` below it")
        return given

    @model_validator(mode="after")
    def _has_files(self) -> "SourceSection":
        """Rules that lie beside files, or belong to them."""
        if self.acl and self.acl.sidecar and "include" not in type(self).model_fields:
            raise ValueError("`sidecar` is for sources with paths; expected `column`, or `readers`")
        path = getattr(self, "path", "://")
        kinds = {"file": "posix", "s3": "s3", "s3a": "s3"}
        owner = kinds.get(path.partition("://")[0] if "://" in path else "file")
        if self.acl and self.acl.owner and self.acl.owner != owner:
            raise ValueError(
                "`owner: posix` is for files on this machine and `owner: s3` for buckets (s3://);"
                " expected `sidecar`, `column` or `readers`"
            )
        return self


class ScansSection(SourceSection):
    """What a source can be told whose documents may be pictures of text."""

    ocr: bool | str = Field(
        default=False,
        description="Let tesseract, where it is installed, read pages of PDFs that have no text, and pictures: true"
        " (English), or its languages, such as deu+eng. A page takes seconds.",
    )

    @field_validator("ocr")
    @classmethod
    def _names_languages(cls, given: bool | str) -> bool | str:
        if isinstance(given, str) and not re.fullmatch(r"[A-Za-z]\w*(/\w+)?(\+[A-Za-z]\w*(/\w+)?)*", given):
            raise ValueError(f"{given!r} names no languages; expected true, or names of tesseract's such as deu+eng")
        return given

    @property
    def languages(self) -> str:
        """The languages as tesseract wants them; empty where nothing is to be read so."""
        return "eng" if self.ocr is True else self.ocr or ""


class PathsSection(ScansSection):
    """What a source can be told whose documents have paths, and of which some are taken."""

    include: tuple[str, ...] | None = Field(
        default=None,
        description="Glob patterns, relative to the path; ** crosses folders. Suffixes match whatever their case."
        " Default: the suffixes of every format that is read.",
    )
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns that win over include.")


def named_after(given: Any, setting: str, otherwise: str) -> Any:
    """The section with a name made of a setting as it is written, where it has none."""
    if isinstance(given, dict) and not given.get("name") and isinstance(given.get(setting), str):
        written = re.sub(r"^(\./)+|/+$", "", given[setting])
        return {**given, "name": re.sub(r"[^\w./-]+", "-", written).strip("-") or otherwise}
    return given
