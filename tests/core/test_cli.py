"""The command ``goodseed``: what it prints, where, and with which status it ends."""

from __future__ import annotations

import fcntl
import json
import math
import os
import pty
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import goodseed
from goodseed.cli.main import main
from goodseed.terminal import text_width

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\n\u202edesrever\x00"


def goodseed_process(*arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """``python -m goodseed`` with these arguments."""
    command = [sys.executable, "-m", "goodseed", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def in_terminal(*arguments: str, columns: int = 80, **environ: str) -> str:
    """What the command prints to a terminal of that width."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "goodseed", *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**env, "TERM": "xterm", **environ},
    )
    os.close(terminal)
    printed = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # how Linux says that nobody has the terminal open any more
            break
        if not chunk:
            break
        printed += chunk
    os.close(controller)
    assert process.wait() == 0
    return printed.decode().replace("\r\n", "\n")


def write_run(run_id: str, project: str = "digits", name: str | None = None, **metrics: float) -> Path:
    """Make a finished run with one point in each of ``metrics``, and return its file."""
    with goodseed.Run(name=name, project=project, run_id=run_id) as run:
        if metrics:
            run.log_metrics(metrics, step=1)
    return run.path


# -- how it ends -----------------------------------------------------------------------------------------------------


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints name and version, and nothing else."""
    assert 0 == main(["--version"])
    assert f"goodseed {goodseed.__version__}\n" == capsys.readouterr().out


def test_module() -> None:
    """``python -m goodseed`` is the command."""
    process = goodseed_process("--version")

    assert (f"goodseed {goodseed.__version__}\n", "") == process.communicate()
    assert 0 == process.returncode


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--help"]])
def test_help_teaches(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help has an example to type."""
    assert 0 == main(arguments)
    assert "goodseed list -p digits" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["lits"], ["--nonsense"], ["list", "--nonsense"], ["list", "-p"], ["list", "a", "b"]]
)
def test_bad_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Bad arguments end with 2 and one line on stderr."""
    assert 2 == main(arguments)
    printed = capsys.readouterr()

    assert ("", 1) == (printed.out, printed.err.count("\n"))
    assert "--help" in printed.err


def test_unknown_project(capsys: pytest.CaptureFixture[str]) -> None:
    """A project that is not there ends with 2, and the one that may be meant is named."""
    write_run("a", "team/digits")
    for wanted in ("digits", "Team/Digits", "team/digit"):
        assert 2 == main(["list", "-p", wanted])
        printed = capsys.readouterr()

        assert ("", 1) == (printed.out, printed.err.count("\n"))
        assert "'team/digits'" in printed.err


def test_missing_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that was asked for and is not there ends with 2 and a sentence."""
    assert 2 == main(["list", str(tmp_path / "nowhere")])
    assert "there is no directory" in capsys.readouterr().err


def test_broken_pipe(home: Path) -> None:
    """Whoever stops reading (``| head``) causes no complaint."""
    for number_of_run in range(3):
        write_run(f"r{number_of_run}", name="n" * 900, loss=1.0)
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [sys.executable, "-m", "goodseed", "list", "-p", "digits"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)

    assert (141, b"") == (process.returncode, process.stderr)


def test_interrupt(home: Path) -> None:
    """Ctrl-C ends with 130 and no traceback."""
    for number_of_run in range(25):
        write_run(f"r{number_of_run}", **{f"train/metric-{n}": n / 7 for n in range(64)})
    code = """
import signal, sys
from goodseed.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
sys.exit(main(["list", "-p", "digits", "--json"]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"{"  # it prints, and more than fits into the pipe
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()

    assert (130, b"") == (process.returncode, errors)


# -- tables ----------------------------------------------------------------------------------------------------------


def test_no_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is nothing yet, the list says how to make the first run."""
    assert 0 == main(["list"])
    printed = capsys.readouterr()

    assert "goodseed.Run(" in printed.out
    assert "" == printed.err


def test_projects(capsys: pytest.CaptureFixture[str]) -> None:
    """The projects come with their runs and what is running, those in the trash left out."""
    write_run("a", "one")
    write_run("b", "one")
    with sqlite3.connect(write_run("c", "one")) as connection:
        connection.execute("INSERT INTO run_meta VALUES ('trashed', 'true')")
    connection.close()
    with goodseed.Run(project="team/two"):
        assert 0 == main(["list"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]

    assert ["project", "runs", "running", "last", "activity"] == lines[0]
    assert [["one", "2"], ["team/two", "1", "1"]] == sorted(line[:-2] for line in lines[1:])


def test_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The runs of a project come as aligned columns, the newest first, with the metrics that most of them have."""
    write_run("first", name="with a name", loss=0.123456, accuracy=1.0)
    write_run("second", loss=math.nan)
    write_run("elsewhere", project="other")
    assert 0 == main(["list", "-p", "digits"])
    head, second, first = capsys.readouterr().out.splitlines()

    assert ["run", "state", "name", "age", "duration", "loss", "accuracy"] == head.split()
    assert ["second", "finished", "NaN"] == [second.split()[0], second.split()[1], second.split()[-1]]
    assert ["first", "finished", "with", "a", "name"] == first.split()[:5]
    assert ["0.1235", "1"] == first.split()[-2:]
    assert head.index("name") == first.index("with")
    assert head.index("loss") + len("loss") == first.index("0.1235") + len("0.1235") == second.index("NaN") + len("NaN")


def test_other_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The runs under any directory can be listed."""
    with goodseed.Run(project="digits", run_id="a", log_dir=tmp_path / "logs"):
        pass
    assert 0 == main(["list", str(tmp_path / "logs"), "--project", "digits"])
    assert capsys.readouterr().out.splitlines()[1].startswith("a ")


def test_damaged_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that can't be read is named on stderr, and the others are listed."""
    (write_run("good").parent / "bad.sqlite").write_bytes(b"nonsense" * 1000)
    assert 0 == main(["list", "-p", "digits"])
    printed = capsys.readouterr()

    assert "bad.sqlite" in printed.err
    assert 1 == printed.err.count("\n")
    assert printed.out.splitlines()[1].startswith("good ")


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_fits_the_terminal(home: Path, columns: int) -> None:
    """On a terminal lines are cut and metrics left out so that a row takes one line, where that is possible."""
    metrics = {f"train/a-metric-with-a-long-name-{n}": n / 7 for n in range(9)}
    write_run("bold-falcon", name="日本語の名前" * 10, **metrics)
    printed = in_terminal("list", "-p", "digits", columns=columns, NO_COLOR="1")
    least = len("bold-falco  finished  12345678  age  duration")

    assert 2 == printed.count("\n")
    assert max(columns, least) >= max(map(text_width, printed.splitlines()))
    assert (columns >= 80) == ("long-name" in printed)


def test_colours(home: Path) -> None:
    """A terminal gets colours unless NO_COLOR says otherwise; a pipe never does."""
    write_run("a")
    piped, _ = goodseed_process("list", "-p", "digits").communicate()

    assert "\x1b[32mfinished" in in_terminal("list", "-p", "digits")
    assert "\x1b" not in in_terminal("list", "-p", "digits", NO_COLOR="1")
    assert "\x1b" not in in_terminal("list", "-p", "digits", TERM="dumb")
    assert "\x1b" not in piped


def test_hostile_text(home: Path) -> None:
    """Text from a run never reaches the terminal as anything but visible characters."""
    path = write_run("a", name=HOSTILE, **{HOSTILE.replace("\x00", ""): 1.0})
    (path.parent / f"{HOSTILE[:-1].replace('/', '')}.sqlite").write_bytes(b"damaged" * 1000)
    printed = in_terminal("list", "-p", "digits", columns=300, NO_COLOR="1")

    assert "\\x1b[2J" in printed
    assert set() == {character for character in printed if not character.isprintable()} - {"\n"}


def test_encoding_without_the_characters(home: Path) -> None:
    """A stdout that can't show a character gets its escape, and no traceback."""
    write_run("a", name="é 日本")
    process = goodseed_process("list", "-p", "digits", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    printed, errors = process.communicate()

    assert ("", 0) == (errors, process.returncode)
    assert "\\xe9 \\u65e5\\u672c" in printed


# -- JSON ------------------------------------------------------------------------------------------------------------


def test_runs_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives every run with its metrics; numbers that JSON does not have are strings."""
    path = write_run("a", name=HOSTILE, loss=math.nan, up=math.inf, down=-math.inf, accuracy=0.5)
    assert 0 == main(["list", "-p", "digits", "--json"])
    printed = capsys.readouterr().out
    (run,) = json.loads(printed, parse_constant=pytest.fail)["runs"]

    assert printed.isascii()
    assert ("a", "digits", HOSTILE, "finished", str(path)) == (
        *(run["run_id"], run["project"], run["name"], run["state"], run["path"]),
    )
    assert {
        "loss": {"step": 1.0, "y": "NaN"},
        "up": {"step": 1.0, "y": "Infinity"},
        "down": {"step": 1.0, "y": "-Infinity"},
        "accuracy": {"step": 1.0, "y": 0.5},
    } == run["last_metrics"]


def test_projects_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives every project, and what could not be read."""
    bad = write_run("a", "one").parent / "bad.sqlite"
    bad.write_bytes(b"nonsense" * 1000)
    assert 0 == main(["list", "--json"])
    listed = json.loads(capsys.readouterr().out)

    assert [("one", 1, 0, 0)] == [
        (project["project"], project["run_count"], project["running_count"], project["trashed_count"])
        for project in listed["projects"]
    ]
    assert [str(bad)] == [problem["path"] for problem in listed["problems"]]


def test_nothing_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json is JSON also where there is nothing."""
    assert 0 == main(["list", "--json"])
    assert {"projects": [], "problems": []} == json.loads(capsys.readouterr().out)


def test_what_can_be_no_run_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is named like a run and is none is told by name, whether its project or its directory is asked for."""
    runs = home / "projects" / "p" / "runs"
    runs.mkdir(parents=True)
    (runs / "empty.sqlite").touch()
    (runs / "text.sqlite").write_text("no database")
    (runs / " .sqlite").write_text("no database")
    (runs / "folder.sqlite").mkdir()
    for arguments in (["list"], ["list", "-p", "p"]):
        main(arguments)
        said = capsys.readouterr().err

        for name in ("empty", "text", " ", "folder"):
            assert f"/{name}.sqlite " in said, (arguments, name)
    assert 2 == main(["list", str(runs / "text.sqlite")])
    assert "text.sqlite is a file: give the directory" in capsys.readouterr().err
