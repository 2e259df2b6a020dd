"""Exceptions that end a process, a thread or a run."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from goodseed.monitoring.traceback import ExceptionWatch, exit_status, formatted

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("x"), "failed"),
        (KeyboardInterrupt(), "failed"),
        (SystemExit(), "finished"),
        (SystemExit(0), "finished"),
        (SystemExit(3), "failed"),
        (SystemExit("message"), "failed"),
        (GeneratorExit(), "finished"),
    ],
)
def test_the_status_follows_from_the_exception(error: BaseException, status: str) -> None:
    """A clean exit finishes a run, everything else fails it."""
    assert exit_status(type(error), error) == status


def test_an_interrupt_has_no_traceback() -> None:
    """Ctrl-C is told apart from a fault of the code."""
    assert formatted(KeyboardInterrupt, KeyboardInterrupt(), None) == "KeyboardInterrupt"


def test_a_huge_traceback_is_cut_in_the_middle() -> None:
    """Its beginning and its end are kept."""
    text = formatted(ValueError, ValueError("x" * 1_000_000), None)

    assert len(text) < 210_000
    assert text.startswith("ValueError: xxx")
    assert "characters left out" in text


def test_the_hooks_are_taken_out_with_the_last_subscriber() -> None:
    """Nothing of ours is left in the hooks."""
    before = sys.excepthook, threading.excepthook
    watch = ExceptionWatch()
    first, second = (lambda *_: None), (lambda *_: None)
    watch.subscribe(first)
    watch.subscribe(second)
    watch.unsubscribe(first)
    during = sys.excepthook
    watch.unsubscribe(second)

    assert during is not before[0]
    assert (sys.excepthook, threading.excepthook) == before


@pytest.mark.parametrize("is_ours_first", [True, False])
def test_the_hooks_of_others_are_called_too(monkeypatch: pytest.MonkeyPatch, is_ours_first: bool) -> None:
    """In both orders of installation, both hear of an exception, once."""
    heard: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *_: heard.append("python"))
    watch = ExceptionWatch()

    def install_theirs() -> None:
        before = sys.excepthook

        def theirs(*details: Any) -> None:
            heard.append("theirs")
            before(*details)

        sys.excepthook = theirs

    def callback(*_: object) -> None:
        heard.append("ours")

    if is_ours_first:
        watch.subscribe(callback)
        install_theirs()
    else:
        install_theirs()
        watch.subscribe(callback)
    error = ValueError("x")
    sys.excepthook(ValueError, error, None)
    top = sys.excepthook
    watch.unsubscribe(callback)
    sys.excepthook(ValueError, ValueError("y"), None)

    assert sorted(heard) == sorted(["ours", "theirs", "python", "theirs", "python"])
    assert (sys.excepthook is top) == is_ours_first


def test_an_exception_that_leaves_with_is_stored(run_script: Callable[..., Any]) -> None:
    """Traceback, last line and status are there, and Python prints the traceback as ever."""
    seen = run_script(
        """
import goodseed
with goodseed.Run():
    print("last words", end="")
    raise ValueError("broken")
"""
    )

    (text,) = seen.stored.series["traceback"]
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: broken")
    assert seen.stored.series["stdout"] == ["last words"]
    assert seen.stored.status == "failed"
    assert seen.stderr.rstrip().endswith("ValueError: broken")
    assert seen.returncode == 1


def test_an_exception_that_ends_the_process_is_stored(run_script: Callable[..., Any]) -> None:
    """A run that is not in a with statement fails with the exception that nobody catches."""
    seen = run_script("import goodseed\nrun = goodseed.Run()\nprint('last')\n1 / 0\n")

    (text,) = seen.stored.series["traceback"]
    assert text.endswith("ZeroDivisionError: division by zero")
    assert seen.stored.series["stdout"] == ["last"]
    assert seen.stored.status == "failed"
    assert "ZeroDivisionError" in seen.stderr


def test_an_exception_in_a_thread_is_stored(run_script: Callable[..., Any]) -> None:
    """A thread that dies of an exception fails the run, one that exits does not."""
    seen = run_script(
        """
import goodseed, sys, threading
run = goodseed.Run()
for target in (sys.exit, lambda: [][1]):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
"""
    )

    (text,) = seen.stored.series["traceback"]
    assert text.endswith("IndexError: list index out of range")
    assert seen.stored.status == "failed"


@pytest.mark.parametrize(
    ("ending", "status", "tracebacks"),
    [
        ("sys.exit(0)", "finished", []),
        ("sys.exit()", "finished", []),
        ("raise KeyboardInterrupt", "failed", ["KeyboardInterrupt"]),
    ],
)
@pytest.mark.parametrize("is_with", [True, False])
def test_clean_exits_and_interrupts_are_told_apart(
    run_script: Callable[..., Any], ending: str, status: str, tracebacks: list[str], is_with: bool
) -> None:
    """An exit of 0 finishes the run, an interrupt fails it without a traceback."""
    begin = "with goodseed.Run() as run:\n    pass; " if is_with else "run = goodseed.Run()\n"
    seen = run_script(f"import goodseed, sys\n{begin}{ending}\n")

    assert seen.stored.status == status
    assert seen.stored.series.get("traceback", []) == tracebacks


def test_a_hook_that_replaces_ours_does_not_hide_the_exception(run_script: Callable[..., Any]) -> None:
    """Somebody who sets sys.excepthook without calling what was there (as rich does) costs nothing."""
    seen = run_script(
        """
import goodseed, sys
run = goodseed.Run()
sys.excepthook = lambda *details: print("theirs")
raise ValueError("seen all the same")
"""
    )

    assert seen.stdout == "theirs\n"
    assert seen.stored.status == "failed"
    assert seen.stored.series["traceback"][0].endswith("ValueError: seen all the same")


def test_an_exception_in_an_ipython_cell_does_not_fail_the_run(run_script: Callable[..., Any]) -> None:
    """The process goes on after it, and so does the run."""
    pytest.importorskip("IPython")
    seen = run_script(
        """
import goodseed
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
run = goodseed.Run()
shell.run_cell("1 / 0")
shell.run_cell("print('next cell')")
run.close()
"""
    )

    assert seen.stored.status == "finished"
    assert "traceback" not in seen.stored.series
    assert "next cell" in seen.stored.series["stdout"]
