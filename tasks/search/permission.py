"""Whose search it is: only what that person may read is looked at, by a condition in the store."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.labels import EVERYONE, GROUP, READERS
from config.pipeline import Pipeline
from tasks.errors import ConfigError
from tasks.records import Condition, Filter


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody with a name and groups, each as the rules have it; `is_admin` may read everything."""

    user: str = ""
    groups: Sequence[str] = ()
    is_admin: bool = False

    @property
    def principals(self) -> tuple[str, ...]:
        """What a record's readers are compared with."""
        return EVERYONE, self.user, *(f"{GROUP}{group}" for group in self.groups)


ADMIN = Asker(is_admin=True)


def permitted(pipeline: Pipeline, asker: Asker | None) -> tuple[Condition, ...]:
    """What a record passes that the asker may read; ConfigError where nobody says who asks, or no record says whose."""
    if asker is None or asker.is_admin:
        if pipeline.has_readers and asker is None:
            raise ConfigError(
                f"documents of {pipeline.name!r} have readers (`acl`), so a search is somebody's: say --as USER"
                f" [--groups A,B], --as {EVERYONE} for what all may read, or --as-admin to search all of them"
            )
        return ()
    if not pipeline.has_readers:
        raise ConfigError(
            f"documents of {pipeline.name!r} have no readers, so nothing can be searched as {asker.user!r}: set `acl`"
            " in their sources and sync, or leave out --as"
        )
    return (Filter(READERS, "in", asker.principals),)


def read_asker(user: str, groups: Sequence[str]) -> Asker:
    """The asker whom a command or a request names; ConfigError for a name that would be a group's, or nobody's."""
    user = user.strip()
    if not user or user.startswith(GROUP):
        raise ConfigError(f"--as {user!r}: expected a user's name; groups are named after --groups, as A,B")
    names = tuple(filter(None, map(str.strip, groups)))
    if wrong := next((name for name in names if name.startswith(GROUP)), None):
        raise ConfigError(f"--groups {wrong!r}: expected a group's name alone, {wrong.removeprefix(GROUP)!r}")
    return Asker(user, names)
