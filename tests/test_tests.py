"""How the tests themselves are written: through what is public, waiting for events. See `test_timings` for clocks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_SOURCES = [path for path in sorted(_TESTS.rglob("*.py")) if "torture" not in path.relative_to(_TESTS).parts]
_WAITS = {"sleep", "wait_for_timeout"}
# What Python itself offers under such a name: the way out of a forked child.
_OF_PYTHON = {"os._exit"}
_ENDS = (ast.Break, ast.Return)
_MAX_LINES = 450


def _nodes(tree: ast.AST, *, is_waiting: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes, each with whether it is in a loop that looks for an event: one that ends when that has come."""
    for child in ast.iter_child_nodes(tree):
        is_loop = isinstance(child, (ast.While, ast.For))
        is_looking = is_waiting or (is_loop and any(isinstance(part, _ENDS) for part in ast.walk(child)))
        if isinstance(child, ast.While):
            is_looking |= not (isinstance(child.test, ast.Constant) and child.test.value)
        yield child, is_looking
        yield from _nodes(child, is_waiting=is_looking)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _private(node: ast.AST) -> str:
    """The private name of another module or object that is used; empty for none."""
    match node:
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            return ""
        case ast.Attribute(attr=name) if _is_private(name) and ast.unparse(node) not in _OF_PYTHON:
            return ast.unparse(node)
        case ast.ImportFrom(module=str(module), names=names) if module.startswith("goodseed"):
            found = [*module.split("."), *(one.name for one in names)]
            return next((name for name in found if _is_private(name)), "")
        case ast.Call(func=ast.Attribute(attr="setattr"), args=[target, ast.Constant(value=str(name)), *_]):
            return f"{ast.unparse(target)}.{name}" if _is_private(name) else ""
    return ""


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: path.relative_to(_TESTS).as_posix())
def test_a_test_is_written_as_agreed(path: Path) -> None:
    """No private access; each fixed sleep says beside it why time is what is tested."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    faults = []
    for node, is_looking in _nodes(ast.parse(text)):
        if name := _private(node):
            faults.append(f"line {node.lineno}: {name} is private")
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "conftest":
            faults.append(f"line {node.lineno}: each folder has a conftest: which one this is depends on the order")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _WAITS:
            is_explained = "  # " in lines[node.end_lineno - 1]
            if not is_looking and not is_explained:
                faults.append(f"line {node.lineno}: sleeps without a reason: {lines[node.lineno - 1].strip()}")

    assert [] == faults


def test_files_of_tests_are_short() -> None:
    """A file of tests is about one thing; what grows beyond that is divided."""
    sizes = {path.relative_to(_TESTS).as_posix(): path.read_text("utf-8").count("\n") for path in _SOURCES}

    assert {} == {name: size for name, size in sizes.items() if size > _MAX_LINES}
