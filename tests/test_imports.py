"""Who may import whom, read from the source: the rooms of the design and the doors between them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "goodseed-core" / "src" / "goodseed"
BASE = {
    "errors",
    "values",
    "config_values",
    "trials",
    "names",
    "paths",
    "config",
    "credentials",
    "columns",
    "exits",
    "masking",
    "terminal",
    "sink",
    "threads",
    "times",
}
MAY_IMPORT = {
    "storage": BASE,
    "remote": BASE | {"storage", "plugins", "hooktypes"},
    "sync": BASE | {"storage", "remote"},
    "monitoring": BASE | {"plugins", "hookspecs"},
    "source_code": BASE,
    "hookspecs": {"hooktypes", "run"},
    "plugins": BASE | {"hookspecs", "monitoring"},
    "run": BASE | {"storage", "sync", "remote", "monitoring", "source_code", "plugins", "hooktypes"},
    "server": BASE | {"storage", "plugins", "hooktypes", "run", "__version__"},
    "projects": BASE | {"storage", "remote"},
    "integrations": BASE | {"run"},
    "held_run": {"__init__", "trials"},
    "cli": None,  # anything
    "__main__": {"cli"},
    "__init__": BASE | {"run", "source_code", "projects"},
    "hooktypes": {"columns", "run"},
    "conversions": set(),
    "importing": BASE | {"hooktypes", "run"},
    **dict.fromkeys(BASE, BASE),
    "values": BASE | {"plugins"},
    "config_values": BASE | {"plugins"},
}
OUTSIDE = {"psutil", "pluggy", "pynvml", "IPython"}  # the two dependencies, and what is looked for where it is there


def rooms() -> list[Path]:
    """Every file of the package."""
    return sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules |= (
                {f"{node.module}.{alias.name}" for alias in node.names}
                if node.module == "goodseed"
                else {node.module or ""}
            )
    return modules


@pytest.mark.parametrize("path", rooms(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_direction(path: Path) -> None:
    """A room imports only the rooms that it may, and of other packages only the standard library and the dependencies."""
    import sys

    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    modules = imported(path)
    own = {module.split(".")[1] for module in modules if module.startswith("goodseed.")}
    allowed = MAY_IMPORT[room]
    foreign = {module.split(".")[0] for module in modules} - {"goodseed"} - set(sys.stdlib_module_names)

    if room == "integrations":  # each file has its library, which is imported with it alone
        foreign -= {path.stem, "ray"}

    assert set() == foreign - OUTSIDE
    assert allowed is None or set() == own - allowed - {room}


def test_nobody_imports_the_command() -> None:
    """Nothing but the command itself imports the command."""
    importers = {
        path.relative_to(SOURCE).parts[0]
        for path in rooms()
        if any(m.startswith("goodseed.cli") for m in imported(path))
    }

    assert {"cli", "__main__.py"} == importers


@pytest.mark.parametrize("path", rooms(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_all_is_what_there_is(path: Path) -> None:
    """Every name in a module's __all__ is defined in it or imported by it, once, in order."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lists = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    if path.name == "__main__.py" or not any(isinstance(n, (ast.ClassDef, ast.FunctionDef)) for n in tree.body):
        return

    assert 1 == len(lists), f"{path} has no __all__"
    assert len(set(lists[0])) == len(lists[0])
