"""Where documents come from."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from config.fields import Location, Section

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
    max_bytes: int = Field(default=50_000_000, gt=0, description="Larger documents are set aside, not read.")


class PathsSection(SourceSection):
    """What a source can be told whose documents have paths, and of which some are taken."""

    include: tuple[str, ...] | None = Field(
        default=None,
        description="Glob patterns, relative to the path; ** crosses folders. Suffixes match whatever their case."
        " Default: the suffixes of every format that is read.",
    )
    exclude: tuple[str, ...] = Field(default=(), description="Glob patterns that win over include.")


class FilesSource(PathsSection):
    """A folder, a single file, or an fsspec URL."""

    kind: Literal["files"] = Field(default="files", description="Documents are files.")
    path: Location = Field(
        description="Folder, file or fsspec URL (s3://, gs://, az://, https://, memory://). Of a web server: the files"
        " to which a folder's page links, and those of the folders below it; links inside the files are not followed."
    )
    private_network: PrivateNetwork = Field(default=False, description=PRIVATE_NETWORK)

    @model_validator(mode="before")
    @classmethod
    def _name_after_path(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("name") and isinstance(given.get("path"), str):
            written = re.sub(r"^(\./)+|/+$", "", given["path"])
            return {**given, "name": re.sub(r"[^\w./-]+", "-", written).strip("-") or "files"}
        return given


def with_kind(source: Any) -> Any:
    """The source with `kind: files` where none is given: a union would refuse it, for it looks at the tag first."""
    return {"kind": "files", **source} if isinstance(source, dict) else source


# The next kind makes it Annotated[FilesSource | …, Field(discriminator="kind"), BeforeValidator(with_kind)].
Source = Annotated[FilesSource, BeforeValidator(with_kind)]
