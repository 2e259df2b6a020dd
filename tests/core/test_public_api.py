"""`goodseed.__all__` is the public API, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
import types

import goodseed


def test_all_is_the_namespace() -> None:
    """What __all__ names is there, and what is there without an underscore is named, but for modules."""
    for name in goodseed.__all__:
        assert getattr(goodseed, name) is not None
    public = {
        name
        for name, value in vars(goodseed).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    } - {"TYPE_CHECKING", "annotations"}

    assert public == set(goodseed.__all__) - {"__version__"}
    assert sorted(goodseed.__all__) == dir(goodseed)


def test_errors_are_ours_and_of_the_builtins() -> None:
    """Every exception is a GoodseedError and one of the built-in exceptions that fits."""
    errors = [getattr(goodseed, name) for name in goodseed.__all__ if name.endswith("Error")]

    assert len(errors) > 10
    for error in errors:
        assert issubclass(error, goodseed.GoodseedError)
        if error is not goodseed.GoodseedError:
            assert any(base.__module__ == "builtins" and base not in (Exception, object) for base in error.__mro__)


def test_import_is_cheap() -> None:
    """Importing goodseed loads neither SQLite nor psutil, numpy or pluggy, starts no thread and touches no random state."""
    script = (
        "import random, sys, threading; state = random.getstate(); import goodseed;"
        "assert random.getstate() == state; assert threading.active_count() == 1;"
        "print(sorted({'sqlite3', 'psutil', 'numpy', 'pluggy', 'torch', 'http.client'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "[]\n" == printed
