"""Which modules hold state: what is kept belongs to an object that somebody owns, unless it is the process's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_MUTATORS = {
    *(
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "move_to_end",
        "pop",
        "popitem",
        "popleft",
    ),
    *("push", "remove", "setdefault", "sort", "update"),
}
_CONTAINERS = {
    *("set", "dict", "list", "deque", "OrderedDict", "defaultdict", "Counter", "bytearray", "local"),
    *("WeakKeyDictionary", "WeakValueDictionary", "WeakSet"),
}

# What there is once in a process, because the process, the interpreter or the user's objects are what it is about.
ALLOWED = {
    "goodseed/conversions.py:_said": "each notice is given once in a process",
    "goodseed/run/process_end/exits.py:listeners": "an interpreter ends once, for all runs",
    "goodseed/held_run.py:_holders": "callbacks of other libraries are copied and pickled, and find their run again by its id",
    "goodseed/monitoring/console/descriptors.py:_lock": "replaced in a forked child, with the descriptors that it guards",
    "goodseed/monitoring/console/descriptors.py:_taps": "a process has one descriptor 1 and one descriptor 2",
    "goodseed/monitoring/console/openers.py:_openers": "which threads of the process have a run open",
    "goodseed/monitoring/console/taps.py:_lock": "replaced in a forked child, with the streams that it guards",
    "goodseed/monitoring/console/taps.py:_taps": "a process has one `sys.stdout` and one `sys.stderr`",
    "goodseed/monitoring/console/taps.py:_watched": "the interpreter's shells whose cells are watched",
    "goodseed/monitoring/console/taps.py:silenced": "threads of the process whose output is not recorded",
    "goodseed/monitoring/gpu/tools.py:_given_up": "vendors' programs that this machine lacks",
    "goodseed/monitoring/gpu/tools.py:_running": "one program of a vendor serves all runs",
    "goodseed/monitoring/thread.py:_gates_of_forks": "a fork waits for imports of all threads",
    "goodseed/monitoring/thread.py:_import_gate": "replaced in a forked child",
    "goodseed/monitoring/traceback.py:_watch": "a process has one `sys.excepthook`",
    "goodseed/paths.py:_told": "each notice is given once in a process",
    "goodseed/plugins.py:_is_any_installed": "what is installed does not change while a process runs",
    "goodseed/plugins.py:_known": "plugins are loaded once in a process",
    "goodseed/plugins.py:_lock": "guards the loading of plugins",
    "goodseed/plugins.py:_manager": "plugins are loaded once in a process",
    "goodseed/plugins.py:_reported": "a broken plugin is reported once in a process",
    "goodseed/run/opening/pickling.py:_held": "a run that is unpickled where it was pickled is the same run",
    "goodseed/run/opening/pickling.py:_tokens": "the names under which `_held` knows them",
    "goodseed/run/process_end/ending.py:open_runs": "runs that are to be closed when the process ends",
    "goodseed/storage/batch.py:_upsert_statement": "the text of a statement, which depends on nothing",
    "goodseed/storage/forks.py:_gate": "a fork waits for SQLite in all threads",
    "goodseed/storage/inbox/recovery.py:_background": "one thread of the process brings in what killed runs left",
    "goodseed/storage/forks.py:_watched": "what a forked child must give up",
    "goodseed/storage/kinds.py:_by_name": "the kinds of series that this process knows, which plugins may add to",
    "goodseed_hf/callback.py:_chosen": "which callback of a trainer logs, where there are several",
    "goodseed_hf/trl.py:_training": "TRL's trainers that are training, for libraries that do not pass them on",
    "goodseed_lightning/processes/handle.py:_handles": "loggers that are unpickled find their run again",
    "goodseed_lightning/processes/handle.py:_open_runs": "loggers that are unpickled find their run again",
    "goodseed_lightning/training/watching.py:_register_once": "a hook of torch is registered once",
    "goodseed_lightning/training/watching.py:_watched": "modules of torch that are watched, by the process's one hook",
}


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield target.id, node.value


def _changed(tree: ast.Module) -> set[str]:
    """The names that the module changes: by a method, by an index, or as a global."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found |= set(node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
            found |= {node.func.value.id} if isinstance(node.func.value, ast.Name) else set()
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            found |= {node.value.id} if isinstance(node.value, ast.Name) else set()
    return found


def _is_state(value: ast.expr, own_classes: set[str]) -> bool:
    """Whether an empty container, or an object of a class of the module that is no plain record, is made."""
    if isinstance(value, (ast.Dict, ast.List)):
        return not (value.keys if isinstance(value, ast.Dict) else value.elts)
    if not isinstance(value, ast.Call):
        return False
    name = ast.unparse(value.func).rpartition(".")[2]
    return name in own_classes or (name in _CONTAINERS and not value.args)


def _has_attributes(node: ast.ClassDef) -> bool:
    """Whether its objects have attributes of their own."""
    return any(
        isinstance(target, ast.Attribute) and isinstance(target.ctx, ast.Store)
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        for target in ast.walk(method)
    )


def _states(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    changed = _changed(tree)
    own = {node.name for node in tree.body if isinstance(node, ast.ClassDef) and _has_attributes(node)}
    for name, value in _assigned(tree):
        if name in changed or _is_state(value, own):
            yield name
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names = {ast.unparse(decorator).partition("(")[0].rpartition(".")[2] for decorator in node.decorator_list}
            if names & {"cache", "lru_cache"}:
                yield node.name


def test_modules_hold_no_state() -> None:
    """A module changes nothing that it holds itself, and makes no object that does, but for what the process has once."""
    found = {
        f"{path.relative_to(ROOT).as_posix().partition('src/')[2]}:{name}"
        for source in sorted(ROOT.glob("goodseed-*/src"))
        for path in sorted(source.rglob("*.py"))
        for name in _states(path)
        if name != "__all__"
    }

    assert set(ALLOWED) == found
