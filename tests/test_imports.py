"""Who may import whom, read from the source: the order of the rooms, no circles, and what is public for whom.

Imports that only type checkers see count like all others.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "goodseed": ROOT / "goodseed-core/src/goodseed",
    "goodseed_hub": ROOT / "goodseed-hub/src/goodseed_hub",
    "goodseed_hf": ROOT / "goodseed-hf/src/goodseed_hf",
    "goodseed_keras": ROOT / "goodseed-keras/src/goodseed_keras",
    "goodseed_lightning": ROOT / "goodseed-lightning/src/goodseed_lightning",
}
# From the ground up: a room imports only itself and what stands in a line above it.
ORDER = [
    ["errors", "exits", "threads", "masking", "terminal", "sink", "conversions"],
    ["names", "paths", "times", "columns"],
    ["config", "hooktypes"],
    ["credentials", "hookspecs"],
    ["plugins"],
    ["values"],
    ["config_objects", "trials"],
    ["config_values"],
    ["storage"],
    ["remote"],
    ["sync"],
    ["monitoring", "source_code"],
    ["run"],
    ["projects"],
    ["__init__"],
    ["held_run", "integrations", "importing"],
    ["server"],
    ["cli"],
    ["__main__"],
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
# What watches a run knows the sink that it writes to, and not where that stores it.
KNOWS_ONLY_THE_SINK = {"monitoring", "source_code"}
STORES = {"storage", "remote", "sync"}
OUTSIDE = {"psutil", "pluggy", "pynvml", "IPython"}  # the two dependencies, and what is looked for where it is there


def files(package: str) -> dict[str, Path]:
    """Every module of a package, by its name."""
    source = PACKAGES[package]
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


@cache
def imported(path: Path) -> set[tuple[str, str]]:
    """The modules that a file imports, wherever in it, each with the name that it takes from it; "" for all of it."""
    modules: set[tuple[str, str]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules |= {(node.module or "", alias.name) for alias in node.names}
    return modules


def own_imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules among ``modules`` that a file imports."""
    names = {f"{module}.{name}" if f"{module}.{name}" in modules else module for module, name in imported(path)}
    return names & modules.keys()


def room_of(module: str) -> str:
    """The room that a module of `goodseed` is in."""
    return module.split(".")[1] if "." in module else "__init__"


@cache
def all_of(path: Path) -> list[str]:
    """The names in a module's ``__all__``."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


CORE = files("goodseed")
EVERYTHING = {module: path for package in PACKAGES for module, path in files(package).items()}


def test_order_is_complete() -> None:
    """Every room of the package has its place in the order, and every place a room."""
    assert {room_of(module) for module in CORE} == LEVEL.keys()


@pytest.mark.parametrize("module", CORE)
def test_direction(module: str) -> None:
    """A room imports only rooms below it, and of other packages only the standard library and the dependencies."""
    room = room_of(module)
    own = {room_of(other) for other in own_imports(CORE[module], CORE)} - {room}
    foreign = {name.split(".")[0] for name, _ in imported(CORE[module])} - {"goodseed"} - set(sys.stdlib_module_names)
    if room == "integrations":  # each file has its library, which is imported with it alone
        foreign -= {CORE[module].stem, "ray"}

    assert set() == foreign - OUTSIDE
    assert set() == {other for other in own if LEVEL[other] >= LEVEL[room]}
    assert room not in KNOWS_ONLY_THE_SINK or not own & STORES


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circles(package: str) -> None:
    """No module imports itself by way of others, not even for its types."""
    modules = files(package)
    graph = {module: own_imports(path, modules) - {module} for module, path in modules.items()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@cache
def public_modules() -> tuple[set[str], set[str]]:
    """The modules that docs/public-modules.md names: those for integrations and plugins, and those for servers."""
    text = (ROOT / "docs/public-modules.md").read_text(encoding="utf-8")
    plugins, servers = text.split("\n## ")[1:3]
    return tuple(set(re.findall(r"^\| `(goodseed[\w.]*)` \|", part, re.MULTILINE)) for part in (plugins, servers))  # type: ignore[return-value]


@pytest.mark.parametrize("module", [module for module in EVERYTHING if module not in CORE])
def test_others_use_what_is_public(module: str) -> None:
    """Hub and plugins import only modules that the docs call public, and only names of their ``__all__``."""
    for_plugins, for_servers = public_modules()
    public = for_plugins | (for_servers if module.startswith("goodseed_hub") else set())
    found = {(name, part) for name, part in imported(EVERYTHING[module]) if name.split(".")[0] == "goodseed"}

    assert set() == {name for name, _ in found} - public
    assert [] == [(name, part) for name, part in found if part and part not in (*all_of(CORE[name]), "__version__")]


def test_public_modules_are_there() -> None:
    """What the docs call public is there, and has a list of what it offers."""
    assert [] == [name for part in public_modules() for name in part if not all_of(CORE[name])]


@pytest.mark.parametrize("module", EVERYTHING)
def test_all_is_what_there_is(module: str) -> None:
    """A module with classes or functions lists what it offers, each name once."""
    path = EVERYTHING[module]
    body = ast.parse(path.read_text(encoding="utf-8")).body
    has_parts = any(isinstance(node, (ast.ClassDef, ast.FunctionDef)) for node in body)

    assert path.name == "__main__.py" or not has_parts or all_of(path), f"{path} has no __all__"
    assert len(set(all_of(path))) == len(all_of(path))


@pytest.mark.parametrize("module", EVERYTHING)
def test_privates_stay_in_their_module(module: str) -> None:
    """No module imports a name with a leading underscore from another one of ours."""
    found = {(name, part) for name, part in imported(EVERYTHING[module]) if name.split(".")[0] in PACKAGES}

    assert [] == [(name, part) for name, part in found if part.startswith("_") and not part.startswith("__")]
