"""Ends that Python tells nobody of: exit codes, and the children of multiprocessing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import goodseed

PROLOGUE = """
import os, sys
import goodseed
def open_run(run_id="r"):
    run = goodseed.Run(run_id=run_id, storage="local", capture_hardware_metrics=False, git_ref=False)
    run.log_metrics({"a": 1}, step=0)
    return run
"""


def run_script(directory: Path, script: str, *, is_file: bool) -> subprocess.CompletedProcess[str]:
    """Run a script, from a file or from the command line."""
    text = PROLOGUE + textwrap.dedent(script)
    (directory / "script.py").write_text(text)
    command = [sys.executable, "script.py"] if is_file else [sys.executable, "-c", text]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, env=dict(os.environ))


def end_of(run_id: str = "r") -> tuple[str, str | None, str]:
    """The state, the reason, and the last line of the traceback."""
    with goodseed.Run(run_id=run_id, read_only=True, storage="local") as run:
        fields = {row["path"]: row["value"] for row in run.get_configs()}
        paths = [path for path in run.get_string_paths() if path.endswith("/traceback")]
        texts = [point["value"] for path in paths for point in run.get_string_data(path)]
    return fields["sys/state"], fields.get("sys/end_reason"), texts[-1].splitlines()[-1] if texts else ""


MAIN = """
def main():
    open_run()
    try:
        raise RuntimeError("diverged")
    except RuntimeError as error:
        print(error)
        return {code}
    return 0
"""
UNITTEST = """
import unittest
class T(unittest.TestCase):
    def test(self):
        open_run()
        self.fail()
unittest.main()
"""
ENDS = {
    "sys.exit": ("open_run(); sys.exit(1)", 1, "failed", "SystemExit: 1", ""),
    "sys.exit with a text": ("open_run(); sys.exit('no data')", 1, "failed", "SystemExit: no data", ""),
    "sys.exit with 0": ("open_run(); sys.exit(0)", 0, "finished", None, ""),
    "sys.exit with False": ("open_run(); sys.exit(False)", 0, "finished", None, ""),
    "exit": ("open_run(); exit(4)", 4, "failed", "SystemExit: 4", ""),
    "quit without a code": ("open_run(); quit()", 0, "finished", None, ""),
    "exit, imported": ("from sys import exit\nopen_run()\ndef f(): exit(0)\nf()\nprint()", 0, "finished", None, ""),
    "raise": ("open_run(); raise SystemExit(3)", 3, "failed", "SystemExit: 3", ""),
    "raise without a code": ("open_run(); raise SystemExit", 0, "finished", None, ""),
    "raise in main": (
        "def main():\n    open_run()\n    code = 3\n    raise SystemExit(code)\nmain()", 3, "failed", "SystemExit: 3", "",
    ),
    "raise 0 in main": (
        "def main():\n    open_run()\n    raise SystemExit(0)\nif __name__ == '__main__':\n    main()",
        0, "finished", None, "",
    ),
    "raise deep": (
        "def f(): raise SystemExit(3)\ndef main():\n    open_run()\n    f()\nmain()", 3, "failed", "SystemExit", "",
    ),
    "return into sys.exit": (MAIN.format(code=1) + "sys.exit(main())", 1, "failed", "SystemExit: 1", ""),
    "return 0 into sys.exit": (MAIN.format(code=0) + "sys.exit(main())", 0, "finished", None, ""),
    "return into raise": (MAIN.format(code=1) + "raise SystemExit(main())", 1, "failed", "SystemExit: 1", ""),
    "return 0 into raise": (MAIN.format(code=0) + "raise SystemExit(main())", 0, "finished", None, ""),
    "return nothing into raise": (
        "def main():\n    open_run()\nraise SystemExit(main())", 0, "finished", None, "",
    ),
    "a computed code": (
        "def main():\n    open_run()\n    return True\nsys.exit(not main())", 0, "finished", None, "",
    ),
    "a computed code of a failure": (
        "def main():\n    open_run()\n    return False\nsys.exit(not main())", 1, "failed", "SystemExit: True", "",
    ),
    "a condition": (
        "def main(errors):\n    open_run()\n    return 1 if errors else 0\nsys.exit(main([3]))",
        1, "failed", "SystemExit: 1", "",
    ),
    "what another function returns": (
        "def train(config): open_run()\ndef main(config=1): return train(config)\nsys.exit(main())",
        0, "finished", None, "",
    ),
    "what another function returns, raised": (
        "def evaluate(): return 0\nopen_run()\nraise SystemExit(evaluate())", 0, "finished", None, "",
    ),
    "what a function with a run returns": (
        "def main():\n    open_run()\n    errors = []\n    return len(errors)\nraise SystemExit(main())",
        0, "finished", None, "",
    ),
    "a class of its own": (
        "class Quit(SystemExit): pass\nopen_run(); raise Quit(6)", 6, "failed", "SystemExit: 6", "",
    ),
    "raise 0 deep": (
        "def f(): raise SystemExit(0)\ndef main():\n    open_run()\n    f()\nmain()", 0, "finished", None, "",
    ),
    "a test of the code": (MAIN.format(code=1) + "if main():\n    sys.exit(2)", 2, "failed", "SystemExit: 2", ""),
    "in a handler, as hydra.main does": (
        "open_run()\ntry:\n    1/0\nexcept Exception as error:\n    print(error)\n    sys.exit(1)",
        1, "failed", "ZeroDivisionError: division by zero", "ZeroDivisionError: division by zero",
    ),
    "an exit that somebody catches": (
        "open_run()\ntry:\n    sys.exit(3)\nexcept SystemExit:\n    pass\nprint('goes on')", 0, "finished", None, "",
    ),
    "a hook that ends the process": (
        "sys.excepthook = lambda *_: os._exit(9)\nopen_run()\nraise ValueError('no')",
        9, "failed", "ValueError: no", "ValueError: no",
    ),
    "a hook on top of ours that ends the process": (
        "open_run()\nsys.excepthook = lambda *_: os._exit(9)\nraise ValueError('no')",
        9, "failed", "ValueError: no", "ValueError: no",
    ),
    "os._exit in a handler": (
        "open_run()\ntry:\n    1/0\nexcept Exception:\n    os._exit(1)",
        1, "failed", "ZeroDivisionError: division by zero", "ZeroDivisionError: division by zero",
    ),
    "os._exit": ("open_run(); os._exit(5)", 5, "failed", "os._exit(5)", ""),
    "os._exit with 0": ("open_run(); os._exit(0)", 0, "finished", None, ""),
    "pruned": ("class TrialPruned(Exception): pass\nopen_run(); raise TrialPruned", 1, "finished", "pruned", ""),
    "pruned in with": (
        "class TrialPruned(Exception): pass\nclass Ours(TrialPruned): pass\nwith open_run(): raise Ours('step 3')",
        1, "finished", "pruned", "",
    ),
    "unittest": (UNITTEST, 1, "failed", "SystemExit: True", ""),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_ends_with_a_code(home: Path, tmp_path: Path, end: str) -> None:
    """The run of a process that ends with another exit code than 0 has failed, and says why; the code is the same."""
    script, code, state, reason, traceback = ENDS[end]
    process = run_script(tmp_path, script, is_file=len(end) % 2 == 0)

    assert (code, state, reason, traceback) == (process.returncode, *end_of()), process.stderr


def test_nothing_is_left_wrapped(home: Path) -> None:
    """When the last run is closed, `os._exit` and `exit` are what they were."""
    before = os._exit, type(exit).__call__
    with goodseed.Run():
        with pytest.raises(SystemExit) as raised:
            sys.exit(3)
    with goodseed.Run(run_id="after"):
        pass

    assert before == (os._exit, type(exit).__call__)
    assert (3, "exit") == (raised.value.code, sys.exit.__name__)
    assert "finished" == end_of("after")[0]


def test_an_end_that_went_well_has_no_reason(home: Path, tmp_path: Path) -> None:
    """A run that failed, was resumed, and then finished says nothing of the failure any more."""
    run_script(tmp_path, "open_run(); sys.exit(1)", is_file=False)
    before = end_of()
    with goodseed.Run(resume_run_id="r", storage="local") as run:
        during = {row["path"] for row in run.get_configs()}
    after = end_of()

    assert ("failed", "SystemExit: 1", "") == before
    assert set() == {"sys/end_reason", "sys/closed_time"} & during
    assert ("finished", None, "") == after


def test_closed_as_finished_after_a_thread_failed(home: Path, tmp_path: Path) -> None:
    """A script that closes its run itself says how it ended: no reason of a thread's exception stays."""
    script = """
        import threading
        run = open_run()
        thread = threading.Thread(target=lambda: 1/0)
        thread.start()
        thread.join()
        run.close()
    """
    run_script(tmp_path, script, is_file=False)

    assert ("finished", None) == end_of()[:2]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_children_of_multiprocessing(home: Path, tmp_path: Path, method: str) -> None:
    """A child that returns has finished its run, one that raises or exits has failed it, with the traceback."""
    script = f"""
        import multiprocessing
        class TrialPruned(Exception):
            pass
        def work(name):
            open_run(name)
            if name == "raises":
                raise ValueError("no")
            if name == "exits":
                sys.exit(3)
            if name == "prunes":
                raise TrialPruned
            if name == "wrapped":  # as torch.multiprocessing.spawn does
                try:
                    raise ValueError("inside")
                except Exception:
                    sys.exit(1)
        if __name__ == "__main__":
            own = multiprocessing.get_context("{method}")
            names = ["returns", "raises", "exits", "prunes", "wrapped"]
            children = [own.Process(target=work, args=(name,)) for name in names]
            for child in children:
                child.start()
            for child in children:
                child.join()
            print([child.exitcode for child in children])
    """
    process = run_script(tmp_path, script, is_file=True)

    assert "[0, 1, 3, 1, 1]" == process.stdout.strip(), process.stderr
    assert ("finished", None, "") == end_of("returns")
    assert ("failed", "ValueError: no", "ValueError: no") == end_of("raises")
    assert ("failed", "SystemExit: 3", "") == end_of("exits")
    assert ("finished", "pruned", "") == end_of("prunes")
    assert ("failed", "ValueError: inside", "ValueError: inside") == end_of("wrapped")
