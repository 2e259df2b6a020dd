"""No test asserts how long something may take, not even through names, lists, arithmetic and functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_FUNCTIONS = ("monotonic", "perf_counter", "time", "process_time", "thread_time")
_CLOCKS = {f"time.{name}{unit}" for name in _FUNCTIONS for unit in ("", "_ns")} | {"datetime.now", "datetime.utcnow"}
_SAME = {"abs", "float", "int", "list", "max", "min", "round", "sorted", "sum", "tuple"}  # still a time afterwards
_KEEPS = {"append", "extend", "add", "put"}
_INSTANT, _DURATION = 1, 2


class _Times:
    """Which names of a module hold a reading of a clock, or the time between two of them."""

    def __init__(self, tree: ast.Module) -> None:
        self._clocks = _CLOCKS | {
            name.asname or name.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "time"
            for name in node.names
            if f"time.{name.name}" in _CLOCKS
        }
        self._functions: dict[str, int] = {}
        self._names: dict[tuple[int, str], int] = {}
        self._tree = tree
        while self._learn():
            pass

    def faults(self) -> Iterator[ast.Assert]:
        """The assertions of a duration, or of one instant against another; a deadline in a ``while`` is none."""
        for scope in _scopes(self._tree):
            for node, is_in_while in _own_nodes(scope):
                if isinstance(node, ast.Assert) and self._is_timing(scope, node.test, is_in_while=is_in_while):
                    yield node

    def _is_timing(self, scope: ast.AST, test: ast.expr, *, is_in_while: bool) -> bool:
        negated = [one for node in ast.walk(test) if isinstance(node, ast.UnaryOp) for one in ast.walk(node)]
        for node in ast.walk(test):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            kinds = [max(self._kind(scope, part) for part in _parts(side)) for side in sides]
            for left, operator, right in zip(kinds, node.ops, kinds[1:], strict=False):
                if left == right == _INSTANT and not is_in_while:
                    return True
                # That something lasts so long, or longer, holds on a slow machine, too.
                is_at_least = isinstance(operator, (ast.Gt, ast.GtE)) and right != _DURATION
                is_at_most = isinstance(operator, (ast.Lt, ast.LtE)) and left != _DURATION
                if _DURATION in (left, right) and (node in negated or not (is_at_least or is_at_most)):
                    return True
        return False

    def _learn(self) -> bool:
        before = dict(self._functions), dict(self._names)
        for scope in _scopes(self._tree):
            for node, _ in _own_nodes(scope):
                self._look_at(scope, node)
        return before != (self._functions, self._names)

    def _look_at(self, scope: ast.AST, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(scope, target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self._assign(scope, target, value)
            case ast.AugAssign(target=target, value=value):
                self._assign(scope, target, value)
            case ast.Call(func=ast.Attribute(value=target, attr=method), args=[value]) if method in _KEEPS:
                self._assign(scope, target, value)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                self._assign(scope, target, value)
            case ast.Return(value=ast.expr() as value) if isinstance(scope, ast.FunctionDef):
                kind = self._kind(scope, value)
                if kind:
                    self._functions[scope.name] = max(kind, self._functions.get(scope.name, 0))

    def _assign(self, scope: ast.AST, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._assign(scope, one, other)
            return
        kind = self._kind(scope, value)
        if kind and isinstance(target, (ast.Name, ast.Attribute)):
            key = (id(scope), ast.unparse(target))
            self._names[key] = max(kind, self._names.get(key, 0))

    def _kind(self, scope: ast.AST, node: ast.expr) -> int:
        match node:
            case ast.Name() | ast.Attribute():
                text = ast.unparse(node)
                return max(self._names.get((id(scope), text), 0), self._names.get((id(self._tree), text), 0))
            case ast.Call(func=function, args=arguments):
                name = ast.unparse(function)
                if name in self._clocks:
                    return _INSTANT
                kinds = [self._kind(scope, argument) for argument in arguments] if name in _SAME else []
                return max([self._functions.get(name, 0), *kinds])
            case ast.BinOp(left=left, op=operator, right=right):
                kinds = {self._kind(scope, left), self._kind(scope, right)}
                return _DURATION if kinds == {_INSTANT} and isinstance(operator, ast.Sub) else max(kinds)
            case ast.UnaryOp(operand=inner) | ast.Subscript(value=inner) | ast.NamedExpr(value=inner):
                return self._kind(scope, inner)
            case ast.List(elts=inner) | ast.Tuple(elts=inner) | ast.Set(elts=inner):
                return max((self._kind(scope, one) for one in inner), default=0)
            case ast.ListComp(elt=inner) | ast.SetComp(elt=inner) | ast.GeneratorExp(elt=inner):
                return self._kind(scope, inner)
            case ast.IfExp(body=one, orelse=other):
                return max(self._kind(scope, one), self._kind(scope, other))
        return 0


def timing_assertions(tree: ast.Module) -> list[ast.Assert]:
    """The assertions that a slow machine may fail: of a time that passed, or of a clock against an earlier reading."""
    return list(_Times(tree).faults())


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    return (part for part in ast.walk(node) if isinstance(part, ast.expr))


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    """The module, and each function in it; what a function within another one uses of it counts as its own."""
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _own_nodes(scope: ast.AST, *, is_in_while: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """The nodes of a scope, each with whether it is inside a ``while``; of a module only what is in no function."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(scope, ast.Module | ast.ClassDef) and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        is_repeated = is_in_while or isinstance(child, ast.While)
        yield child, is_repeated
        yield from _own_nodes(child, is_in_while=is_repeated)


@pytest.mark.parametrize("path", sorted(_TESTS.rglob("*.py")), ids=lambda path: path.relative_to(_TESTS).as_posix())
def test_no_timing_is_asserted(path: Path) -> None:
    """No assertion of a test, or of a torture scenario, says how long something may take: slow machines would fail it."""
    found = timing_assertions(ast.parse(path.read_text(encoding="utf-8")))

    assert [] == [f"line {node.lineno}: {ast.unparse(node)}" for node in found]


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("started = time.monotonic()\nwork()\nassert time.monotonic() - started < 5", True),
        (
            "started = time.monotonic()\nwork()\nclosing = time.monotonic() - started\nassert closing < 5.0, closing",
            True,
        ),
        ("started, most = perf_counter(), 5\nwork()\nassert 0 <= perf_counter() - started < most", True),
        ("deadline = time.monotonic() + 5\nwork()\nassert time.monotonic() < deadline", True),
        ("deadline = time.monotonic() + 5\nwhile not done():\n    assert time.monotonic() < deadline", False),
        ("times.append(time.time())\nwork()\ntimes.append(time.time())\nassert times[1] - times[0] < 1", True),
        ("times.append(time.time())\nwork()\ntimes.append(time.time())\nassert times[1] - times[0] >= 1", False),
        ("began = time.time()\nassert began <= stored() <= time.time()", False),
        ("began = time.time()\nassert stored() < (time.time() - began) * 1000", False),
        (
            "for _ in '12':\n    began = time.time()\n    took = round(time.time() - began, 3)\n    assert took < 1",
            True,
        ),
        ("took = max(time.time() - began for began in [time.time()])\nassert not took > 1", True),
        ("self.began = time.time()\nself.took += time.time() - self.began\nassert self.took < 1", True),
        ("def took():\n    began = time.time()\n    return time.time() - began\nassert 1 > took()", True),
    ],
    ids=[
        *("direct", "name", "tuple", "deadline", "while", "list", "at-least", "between", "product", "loop", "most"),
        *("attribute", "function"),
    ],
)
@pytest.mark.parametrize("is_in_function", [False, True], ids=["module", "function"])
def test_timings_are_found(code: str, is_found: bool, is_in_function: bool) -> None:
    """What a clock said is followed wherever it goes; bounds that any machine keeps are none."""
    lines = ["def test():", *(f"    {line}" for line in code.splitlines())] if is_in_function else [code]
    module = "\n".join(["from time import perf_counter", *lines])

    assert is_found == bool(timing_assertions(ast.parse(module)))
