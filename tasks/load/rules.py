"""Who may read a document, as files, columns and file systems say it: a list of principals, or a rule that is broken.

A principal is a user's name, `group:NAME`, or `everyone`, compared as it is written. A broken rule names nobody.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from config.labels import EVERYONE, GROUP
from tasks.load.parse.front_matter import read_yaml
from tasks.records import Scalar

Readers = tuple[str, ...]
_LONGEST = 1_000  # characters of a principal
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#.*")
_POSIX_ACL = "system.posix_acl_access"


class RuleError(ValueError):
    """What is wrong with a rule: nobody is then the only safe answer."""


def readers_of(values: Iterable[object]) -> Readers:
    """The principals, each once and in order; RuleError for what is none."""
    names: set[str] = set()
    for value in values:
        is_name = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
        name = str(value).strip()
        if not is_name or not name or len(name) > _LONGEST or not name.isprintable() or ": " in f"{name} ":
            raise RuleError(f"something else than users' names, {GROUP}NAME and {EVERYONE}")
        names.add(name)
    return tuple(sorted(names))


def written(text: str) -> Readers:
    """Those of a column or a line: apart by commas, or a list in brackets as JSON and YAML have it."""
    if text.lstrip().startswith(("[", "{")):
        return _listed(read_yaml(text))
    return readers_of(filter(None, map(str.strip, text.split(","))))


def of_field(value: Scalar | Sequence[Scalar]) -> Readers:
    """Those that a field of the metadata lists."""
    if isinstance(value, str):
        return written(value)
    return readers_of(value if isinstance(value, Sequence) else [value])


def of_sidecar(text: str) -> Readers:
    """Those of a file: one a line, a YAML list, or a mapping whose only key is `readers`."""
    lines = [line for line in (_COMMENT.sub("", line).strip() for line in text.splitlines()) if line]
    if not any(line.startswith(("- ", "[", "{", "readers:")) or line in ("-", "---") for line in lines):
        return readers_of(name for line in lines for name in written(line))
    return _listed(read_yaml(text))


def _listed(value: object) -> Readers:
    if isinstance(value, dict):
        if [*value] != ["readers"]:
            raise RuleError("a mapping with other keys than `readers`")
        value = value["readers"]
    if isinstance(value, str):
        return written(value) if not value.startswith(("[", "{")) else _broken()
    return readers_of(value) if isinstance(value, list) else _broken()


def _broken() -> Readers:
    raise RuleError("no YAML list, and no mapping with `readers`")


def of_file(root: str, path: str) -> Readers:
    """Those who can open a file below `root`: its owner, its group and everyone, by its mode and its folders'.

    RuleError where finer rules (POSIX ACLs) hold, for the mode then shows the group more than it may.
    """
    top = Path(root).resolve()
    file_path = (top / path).resolve()
    way = [file_path, *(folder for folder in file_path.parents if folder.is_relative_to(top))]
    if hasattr(os, "listxattr") and any(_POSIX_ACL in os.listxattr(one) for one in way):
        raise RuleError("POSIX ACLs, which are not read")
    file, *folders = [one.stat() for one in way]
    readers = [EVERYONE] * _may(file, folders, "everyone")
    readers += [_group(file.st_gid)] * _may(file, folders, "group")
    return readers_of(readers + [_user(file.st_uid)] * _may(file, folders, "user"))


def _may(file: os.stat_result, folders: Sequence[os.stat_result], who: str) -> bool:
    """Whether the mode lets them read the file, and pass through all folders."""
    bits = {
        "user": (stat.S_IRUSR, stat.S_IXUSR, "st_uid"),
        "group": (stat.S_IRGRP, stat.S_IXGRP, "st_gid"),
        "everyone": (stat.S_IROTH, stat.S_IXOTH, ""),
    }
    read, enter, owner = bits[who]

    def passes(folder: os.stat_result) -> bool:
        is_own = bool(owner) and getattr(folder, owner) == getattr(file, owner)
        return bool(folder.st_mode & (enter if is_own else stat.S_IXOTH))

    return bool(file.st_mode & read) and all(map(passes, folders))


@lru_cache(maxsize=4096)
def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(maxsize=4096)
def _group(number: int) -> str:
    import grp

    try:
        return GROUP + grp.getgrgid(number).gr_name
    except KeyError:
        return f"{GROUP}{number}"
