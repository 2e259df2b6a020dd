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
# From the ground up: a module or folder imports only itself and what stands in a line above it, in the same list. Each
# folder that has sub-folders has a list, so that no two folders can import one another.
ORDER = {
    "goodseed": [
        ["errors", "threads", "masking", "terminal", "sink", "conversions"],
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
    ],
    "goodseed.storage": [
        ["__init__", "kinds", "forks", "lock", "string_sets"],
        ["life"],
        ["summary"],
        ["cache"],
        ["rollup", "scan"],
        ["schema"],
        ["series"],
        ["batch"],
        ["history"],
        ["inbox", "outbox"],
        ["writing", "reader", "edits"],
        ["summarizing"],
        ["catalog"],
    ],
    "goodseed.monitoring": [
        ["__init__", "thread", "traceback", "facts"],
        ["console", "gpu", "host"],
        ["hardware"],
        ["manager"],
    ],
    "goodseed.run": [
        ["__init__", "process_end", "source", "encoding", "point_columns", "run_plugins"],
        ["backends"],
        ["opening"],
        ["notices", "recorder"],
        ["session"],
        ["companions", "data"],
        ["writing"],
        ["run"],
    ],
    "goodseed.server": [
        ["__init__", "open_runs"],
        ["queries"],
        ["routes", "encoding"],
        ["parameters", "openapi", "plain", "plugin_routes", "settings"],
        ["store", "api", "dashboard"],
        ["http"],
    ],
    "goodseed.server.dashboard": [
        ["__init__", "times", "fields", "schemas", "project"],
        ["project_operations", "run_operations", "state"],
        ["overview", "views", "table"],
        ["run"],
        ["charts", "edits"],
        ["routes"],
    ],
    "goodseed_hub": [
        ["__init__", "errors", "limits"],
        ["registry"],
        ["stores"],
        ["wire"],
        ["service"],
        ["opening", "web"],
        ["transfer"],
        ["cli"],
        ["plugin"],
    ],
    "goodseed_hub.web": [
        ["__init__", "calls", "connections", "reading"],
        ["api", "page"],
        ["app", "server"],
    ],
    "goodseed_lightning": [
        ["frameworks"],
        ["training"],
        ["processes"],
        ["logged_run", "neptune_run"],
        ["logger"],
        ["neptune"],
        ["__init__"],
    ],
}
LEVEL = {
    folder: {part: level for level, parts in enumerate(order) for part in parts} for folder, order in ORDER.items()
}
# What monitors a run knows the sink that it writes to, and not where that stores it.
KNOWS_ONLY_THE_SINK = {"monitoring", "source_code"}
# Private names of Python's and of libraries', which offer no other way.
OF_OTHERS = {"_replace", "_exit", "_getframe", "_current_frames", "_register_atexit"}
OF_LIBRARIES = {
    "goodseed.conversions": {"_is_none", "_is_missing", "_is_interpolation", "_get_node", "_value"},
    "goodseed_hf.facts": {"_name_or_path"},
    "goodseed_hf.trl": {"_log_metrics", "_logs"},
    "goodseed_lightning.training.steps": {"_checkpoint_connector"},
}
STORES = {"storage", "remote", "sync"}
OUTSIDE = {"psutil", "pluggy", "pynvml", "IPython"}  # the two dependencies, and what is used if it is installed


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


def part_of(module: str, folder: str) -> str | None:
    """The module or sub-folder of ``folder`` that a module is, or is in; None for a module of another folder."""
    if module == folder:
        return "__init__"
    return module.removeprefix(f"{folder}.").split(".")[0] if module.startswith(f"{folder}.") else None


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
    """Each folder with sub-folders has an order, and each module and folder in it its place."""
    folders = {module for module, path in EVERYTHING.items() if path.name == "__init__.py"}
    found = {
        parent: {part for module in EVERYTHING if (part := part_of(module, parent)) is not None}
        for parent in folders
        if any(folder.startswith(f"{parent}.") for folder in folders)
    }

    assert {folder: set(levels) for folder, levels in LEVEL.items()} == found


@pytest.mark.parametrize("module", EVERYTHING)
def test_direction(module: str) -> None:
    """Of each folder that it is in, a module imports only parts that stand below its own."""
    others = own_imports(EVERYTHING[module], EVERYTHING)
    for folder, levels in LEVEL.items():
        own = part_of(module, folder)
        used = {part for other in others if (part := part_of(other, folder)) not in (None, own)}

        assert own is None or set() == {part for part in used if levels[part] >= levels[own]}, folder


@pytest.mark.parametrize("module", CORE)
def test_core_uses_its_dependencies_alone(module: str) -> None:
    """A module of the core imports no other packages than the standard library and the two dependencies."""
    room = part_of(module, "goodseed")
    own = {part_of(other, "goodseed") for other in own_imports(CORE[module], CORE)}
    foreign = {name.split(".")[0] for name, _ in imported(CORE[module])} - {"goodseed"} - set(sys.stdlib_module_names)
    if room == "integrations":  # each file has its library, which is imported with it alone
        foreign -= {CORE[module].stem, "ray"}

    assert set() == foreign - OUTSIDE
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


@pytest.mark.parametrize("module", EVERYTHING)
def test_one_module_names_the_tables(module: str) -> None:
    """What asks for points gets the names of their tables from the table of kinds."""
    text = EVERYTHING[module].read_text(encoding="utf-8")

    assert [] == re.findall(r"\b(?:metric|string)_points\b|\b(?:FROM|JOIN|INTO|TABLE) (?:metric|string)_series\b", text)


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


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def private_names(tree: ast.AST) -> set[str]:
    """The private functions, classes, variables and attributes that a module or class defines."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.Name(id=name, ctx=ast.Store())
            ):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
    return {name for name in found if _is_private(name)}


def private_attributes(tree: ast.AST) -> set[str]:
    """The private attributes that are used in it."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_private(node.attr)}


@cache
def classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module."""
    tree = ast.parse(EVERYTHING[module].read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def inherited_privates(module: str, name: str) -> set[str]:
    """The private names that the bases of a class define in other modules of ours."""
    found: set[str] = set()
    sources = {part: other for other, part in imported(EVERYTHING[module]) if other in EVERYTHING}
    for base in map(ast.unparse, classes(module)[name].bases):
        place = sources.get(base, module)
        if base in classes(place):
            found |= inherited_privates(place, base)
            found |= private_names(classes(place)[base]) if place != module else set()
    return found


@pytest.mark.parametrize("module", EVERYTHING)
def test_privates_are_used_where_they_are_defined(module: str) -> None:
    """No module uses a private attribute of an object of another one, and no class one of a base from another one."""
    tree = ast.parse(EVERYTHING[module].read_text(encoding="utf-8"))
    known = private_names(tree) | OF_OTHERS | OF_LIBRARIES.get(module, set())
    taken = {
        f"{name}.{private}"
        for name, node in classes(module).items()
        for private in inherited_privates(module, name) & (private_names(node) | private_attributes(node))
    }

    assert set() == private_attributes(tree) - known
    assert set() == taken
