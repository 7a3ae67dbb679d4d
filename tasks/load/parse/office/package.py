"""An Office document's parts as trees of XML, and how they lead to each other."""

import posixpath
import re
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from tasks.errors import DocumentError
from tasks.load.parse.archive import open_archive
from tasks.load.parse.properties import properties_of
from tasks.records import Metadata

_SCHEMAS = "http://schemas.openxmlformats.org/"
W = f"{{{_SCHEMAS}wordprocessingml/2006/main}}"
P = f"{{{_SCHEMAS}presentationml/2006/main}}"
S = f"{{{_SCHEMAS}spreadsheetml/2006/main}}"
A = f"{{{_SCHEMAS}drawingml/2006/main}}"
C = f"{{{_SCHEMAS}drawingml/2006/chart}}"
DGM = f"{{{_SCHEMAS}drawingml/2006/diagram}}"
WP = f"{{{_SCHEMAS}drawingml/2006/wordprocessingDrawing}}"
M = f"{{{_SCHEMAS}officeDocument/2006/math}}"
R = f"{{{_SCHEMAS}officeDocument/2006/relationships}}"
MC = f"{{{_SCHEMAS}markup-compatibility/2006}}"
V = "{urn:schemas-microsoft-com:vml}"
O = "{urn:schemas-microsoft-com:office:office}"  # noqa: E741 - as everybody calls it
MOST_FILE_NAME = 255
_RELATION = f"{{{_SCHEMAS}package/2006/relationships}}Relationship"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
# The strict form of the standard has the same elements under other names.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"
_UNTITLED = re.compile(
    r"(?:untitled|unbenannt|sans titre|sin título|document|dokument|presentation|präsentation|powerpoint presentation"
    r"|powerpoint-präsentation|slide|folie|title|titel|book|workbook|microsoft (?:word|powerpoint|excel) - .*"
    r"|(?:.*[ /\\])?\S+\.(?:docx?|dotx?|pptx?|potx?|xlsx?|odt|odp|rtf|tmp))?[ _-]*\d*",
    re.IGNORECASE,
)


class Relation(NamedTuple):
    """`type` is the last word of its type's name; `target` a part of the package, "" where it leads out of it."""

    type: str
    target: str


class Package:
    """The parts are read when they are asked for; a relation that leads out of the package is never followed."""

    def __init__(self, name: str, archive: ZipFile, kind: str) -> None:
        self.name = name
        self.kind = kind
        self._archive = archive
        self._members = {member.replace("\\", "/").lower(): member for member in archive.namelist()}

    def content(self, path: str) -> bytes:
        """Empty for a part that is not there."""
        member = self._members.get(path.lower())
        return self._archive.read(member) if member else b""

    def tree(self, path: str) -> Element:
        """An element without children for a part that is not there; DocumentError for one with a document type."""
        if path.lower() not in self._members:
            return Element("none")
        return ElementTree.fromstring(checked(self, path))  # noqa: S314 - expat opens nothing without a document type

    def relations(self, path: str) -> dict[str, Relation]:
        """Those of a part by id; those of the package itself for ""."""
        folder, base = posixpath.split(path)
        return {
            element.get("Id", ""): Relation(
                element.get("Type", "").rpartition("/")[2],
                "" if element.get("TargetMode") == "External" else _resolved(folder, element.get("Target", "")),
            )
            for element in self.tree(posixpath.join(folder, "_rels", f"{base}.rels")).iter(_RELATION)
        }

    def related(self, path: str, kind: str) -> str:
        """The first part of the kind that a part leads to; "" for none."""
        return next((one.target for one in self.relations(path).values() if one.type == kind and one.target), "")

    def main(self, usual: str, root: str) -> tuple[str, Element]:
        """The part that is the document, as the package says or else at its usual place, and its tree.

        DocumentError where its root is another element: then the archive is no document of this kind.
        """
        path = self.related("", "officeDocument") or usual
        tree = self.tree(path)
        if tree.tag != root:
            raise other_kind(self.name, self.kind)
        return path, tree

    @property
    def title(self) -> str:
        """What the document's properties say, where it is more than what a program puts there by itself."""
        return believable(self._core.findtext(_TITLE) or "")

    @property
    def properties(self) -> Metadata:
        """What else they say."""
        return properties_in(self._core)

    @property
    def _core(self) -> Element:
        return self.tree(self.related("", "core-properties") or "docProps/core.xml")


def properties_in(tree: Element) -> Metadata:
    """Author, dates and the like, whatever their namespaces are."""
    return properties_of((str(one.tag).rpartition("}")[2], one.text or "") for one in tree.iter())


def other_kind(name: str, kind: str) -> DocumentError:
    """The error for an archive of another kind than its name says."""
    return DocumentError(
        "wrong-type",
        f"{name} is another kind of archive, not of the kind {kind}, as its name says; rename or exclude it",
    )


def corrupt(name: str, kind: str, error: Exception) -> DocumentError:
    """The error for what a reader of this kind of document stumbles over."""
    cause = f"{type(error).__name__}: {error}"[:200]
    return DocumentError("corrupt", f"{name} is a damaged {kind} ({cause}); save it again, or exclude it")


def encrypted(name: str) -> DocumentError:
    """The error for a document that nobody can read without its password."""
    return DocumentError("encrypted", f"{name} is encrypted; save it without its password, or exclude it")


def believable(title: str) -> str:
    """The title with single blanks; "" for one that stands in for a title, like "Document1" or a file's name."""
    title = " ".join(title.split())
    return "" if len(title) <= MOST_FILE_NAME and _UNTITLED.fullmatch(title) else title


@contextmanager
def opened(name: str, content: bytes, kind: str) -> Generator[Package]:
    """The package; DocumentError for a bomb, an encrypted or a damaged one, whenever it shows while it is read."""
    try:
        with open_archive(name, content, kind, "") as archive:
            yield Package(name, archive, kind)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, ElementTree.ParseError, expat.ExpatError) as error:
        raise corrupt(name, kind, error) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise corrupt(name, kind, error) from error  # a number that is none, and its like


def checked(package: Package, path: str) -> bytes:
    """The XML of a part under the names of the usual form of the standard.

    DocumentError for a document type, which can only stand before the root and is the door to entity bombs.
    """

    def refuse(*_declaration: object) -> None:
        raise DocumentError(
            "unsafe-xml", f"{package.name} declares a DOCTYPE in its XML, which no {package.kind} needs; exclude it"
        )

    def stop(*_root: object) -> None:
        raise _ProloguePassedError

    content = package.content(path)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    with suppress(_ProloguePassedError):
        parser.Parse(content, True)
    return _STRICT.sub(_TRANSITIONAL, content) if b"purl.oclc.org/ooxml" in content else content


class _ProloguePassedError(Exception):
    """Ends the look at what stands before the root."""


def _resolved(folder: str, target: str) -> str:
    """A target begins at the folder of its part, or with a slash at the package."""
    return posixpath.normpath(posixpath.join("/", folder, target.replace("\\", "/"))).lstrip("/")
