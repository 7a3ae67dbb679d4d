"""The locks fit each other, and every Python that the package allows: pip refuses pins that exclude one another."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
USERS = (REPOSITORY / "requirements.lock").read_text().splitlines()
TOOLS = (REPOSITORY / "requirements-dev.lock").read_text().splitlines()
NEEDED = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["offline-model"]]
# Releases between which a pin changes, too.
PYTHONS = ("3.11.0", "3.11.14", "3.12.0", "3.12.12", "3.13.0", "3.13.9")
PLATFORMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows", "emscripten": "Emscripten"}
# A build of torch for a GPU names these; which build it is, is the index's to say.
TORCH_BUILD = re.compile(r"nvidia-|cuda-|triton$")

Environment = dict[str, str]


def environment(python: str, platform: str = "linux") -> Environment:
    version = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    return {**version, "sys_platform": platform, "platform_system": PLATFORMS[platform], "extra": ""}


def pins(lines: Iterable[str], place: Environment) -> dict[str, str]:
    """The version of each package there; a package that two lines pin at once is a mistake."""
    versions: dict[str, str] = {}
    for line in lines:
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(place):
            version = str(pin.specifier).removeprefix("==")
            assert versions.setdefault(pin.name, version) == version, line
    return versions


@cache
def metadata(name: str) -> tuple[str, tuple[Requirement, ...]]:
    """The version installed here, without the name of a build, and what it asks for; nothing where there is none."""
    try:
        package = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return "", ()
    return package.version.partition("+")[0], tuple(map(Requirement, package.requires or []))


def requirements(name: str, extras: Iterable[str], place: Environment) -> list[Requirement]:
    """What a package, as installed here, asks for in that place."""
    places = [place, *({**place, "extra": extra} for extra in extras)]
    return [each for each in metadata(name)[1] if each.marker is None or any(map(each.marker.evaluate, places))]


def reached(roots: Iterable[str], place: Environment) -> set[str]:
    """Every package that these requirements bring, at whatever version."""
    waiting = [each for each in map(Requirement, roots) if each.marker is None or each.marker.evaluate(place)]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key not in done:
            done.add(key)
            waiting += requirements(wanted.name, wanted.extras, place)
    return {name for name, _ in done if not TORCH_BUILD.match(name)}


def clashes(lines: Iterable[str], roots: Iterable[str], place: Environment) -> list[str]:
    """Each requirement that a pin does not meet, of the roots and of every pinned package installed at its pin."""
    versions = pins(lines, place)
    stated = [("headrace", each) for each in map(Requirement, roots)]
    for name, version in versions.items():
        if metadata(name)[0] == version:
            stated += [(f"{name}=={version}", each) for each in requirements(name, (), place)]
    return [
        f"{owner} wants {each}, pinned is {pinned}"
        for owner, each in stated
        if not TORCH_BUILD.match(each.name)
        for pinned in (versions.get(canonicalize_name(each.name)),)
        if pinned is None or not each.specifier.contains(pinned, prereleases=True)
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pins_meet_what_each_package_asks_for(python: str) -> None:
    place = environment(python)
    assert clashes(USERS, NEEDED, place) == []
    assert clashes([*USERS, *TOOLS], [*NEEDED, *PROJECT["dependency-groups"]["dev"]], place) == []


def test_a_pin_that_another_package_excludes_is_noticed() -> None:
    later = [line for line in [*USERS, *TOOLS] if not line.startswith("networkx==")]
    later += ["networkx==3.6.1 ; python_full_version < '3.12'", "networkx==3.7 ; python_full_version >= '3.12'"]
    assert clashes(later, NEEDED, environment("3.11.9")) == []
    (clash,) = clashes(later, NEEDED, environment("3.12.0"))
    assert re.fullmatch(r"nncf==\S+ wants networkx.*, pinned is 3\.7", clash)


def test_a_user_gets_no_tool_of_the_developers() -> None:
    places = [environment(python, platform) for python, platform in product(PYTHONS, PLATFORMS)]
    needed = set().union(*(reached(NEEDED, place) for place in places))
    assert {Requirement(line).name for line in USERS} - needed == set()
    assert needed & {"pytest", "nncf", "ruff"} == set()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_locks_agree_on_what_both_pin(python: str) -> None:
    both = pins([*USERS, *TOOLS], environment(python))
    assert both == pins(USERS, environment(python)) | pins(TOOLS, environment(python))
    assert set(USERS).isdisjoint(TOOLS)


def test_the_locks_are_for_the_pythons_that_the_package_promises() -> None:
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert promised == sorted({python.rpartition(".")[0] for python in PYTHONS})
