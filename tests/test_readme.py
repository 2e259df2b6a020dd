"""What README and docs say can be done, can be done."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from goodseed.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "goodseed-core" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


SCRIPTS = [(page, number, script) for page in PAGES for number, script in enumerate(blocks(page, "python"))]


@pytest.mark.parametrize(
    ("page", "number", "script"), SCRIPTS, ids=[f"{page.name}-{number}" for page, number, _ in SCRIPTS]
)
def test_scripts_run(page: Path, number: int, script: str, tmp_path: Path) -> None:
    """Every script of the pages runs as it stands."""
    # The cloud needs a remote; the plugins' pages need their frameworks, whose tests run whole examples.
    elsewhere = ("cloud.md", "keras.md", "hf.md", "lightning.md", "hub.md", "integrations.md")
    if "hookimpl" in script or "import acme" in script or page.name in elsewhere:
        compile(script, str(page), "exec")
        return
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=120)

    assert 0 == result.returncode, result.stderr


def test_cloud_scripts_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts of the page on cloud mode run, one after the other, with a remote that speaks the protocol."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "core" / "remote"))
    from plain_server import KEY, PlainServer

    server = PlainServer(projects=("team/vision",)).start()
    environment = {**os.environ, "GOODSEED_API_URL": server.url, "GOODSEED_API_KEY": KEY}
    for script in blocks(ROOT / "docs" / "cloud.md", "python"):
        result = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            env={**environment, "GOODSEED_RUN_ID": "bold-falcon-k3x"},
        )
        assert 0 == result.returncode, result.stderr
    server.shutdown()
    server.server_close()

    assert [("bold-falcon-k3x", "finished")] == server.rows("SELECT run_id, status FROM run")


@pytest.mark.parametrize("page", ["resuming.md"])
def test_commands_follow_their_script(page: str, tmp_path: Path) -> None:
    """The commands of a page do what it says with the run that its script makes."""
    environment = {**os.environ, "GOODSEED_HOME": str(tmp_path)}
    scripts = [[sys.executable, "-c", script] for script in blocks(ROOT / "docs" / page, "python")]
    lines = [line for block in blocks(ROOT / "docs" / page, "bash") for line in block.splitlines()]
    commands = [[sys.executable, "-m", *shlex.split(line)] for line in lines]
    results = [
        subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
        for command in [*scripts, *commands]
    ]

    assert commands
    assert [0] * len(results) == [result.returncode for result in results], [result.stderr for result in results]


def test_sessions_exist() -> None:
    """Every nox session that a page names is one."""
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = set(re.findall(r"^def (\w+)\(session", noxfile, re.MULTILINE))
    lines = [line for page in PAGES for line in re.findall(r"nox -s ([^\n`|&]*)", page.read_text(encoding="utf-8"))]
    named = {word for line in lines for word in line.split(" -- ")[0].split() if word.isalpha()}

    assert {"demo", "tests", "lint", "typing", "bench", "torture"} <= named
    assert set() == named - sessions


def test_commands_exist() -> None:
    """Every `goodseed` command and every option of it that a page names is one."""
    commands = {
        tuple(command.split())
        for page in PAGES
        for command in re.findall(
            r"(?:^|`|\$ )goodseed ((?:--)?[a-z][^`\n|]*)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    for name, *rest in commands:
        if name == "hub":
            continue  # a plugin's command, with commands of its own: tests/hub gives them
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            assert 0 == main([*([] if name.startswith("-") else [name]), "--help"])
        listed = shown.getvalue()

        assert {word for word in (name, *rest) if word.startswith("-")} <= set(
            re.findall(r"--?[a-z][a-z-]*", listed)
        ), name


def test_paths_exist() -> None:
    """Every path of the repository that the pages for contributors name is there."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for path in re.findall(
            r"(?:goodseed-core|tests|examples|docs|benchmarks)/[\w/.-]+", page.read_text(encoding="utf-8")
        ):
            assert (ROOT / path.rstrip(".")).exists(), f"{page.name}: {path}"


def test_links_lead_somewhere() -> None:
    """Every relative link leads to a file."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_demo_runs(tmp_path: Path) -> None:
    """The demo trains its models, one of which diverges, and lists their runs."""
    command = [sys.executable, str(ROOT / "examples" / "digits.py"), "--home", str(tmp_path / "demo"), "--epochs", "2"]
    environment = {**os.environ, "COLUMNS": "160"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)

    assert 0 == result.returncode, result.stderr
    assert 6 == result.stdout.count("finished")
    assert "nan" in result.stdout.lower()


def test_torture_scenarios_of_the_guarantees_exist() -> None:
    """Every scenario that the guarantees name is one."""
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    script = (ROOT / "tests" / "torture" / "run.py").read_text(encoding="utf-8")
    named = {name for names in re.findall(r"--only ([a-z -]+)`", page) for name in names.split()}

    assert named == set(re.findall(r'^    "([a-z-]+)":', script, re.MULTILINE))


def test_figures_are_those_of_the_benchmark() -> None:
    """Every duration that the README claims is one that was measured last, as the benchmarks' page has it."""
    measured = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    claimed = re.findall(r"\d[\d.,]* (?:µs|ms)", (ROOT / "README.md").read_text(encoding="utf-8"))

    assert len(claimed) >= 6
    assert [] == [figure for figure in claimed if figure not in measured]


def test_pictures_are_small() -> None:
    """The README's pictures are there, in both themes, and load quickly."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r'(?:srcset|src)="([^"]+)"', text)

    assert 2 == len(pictures)
    assert all(0 < (ROOT / picture).stat().st_size < 300_000 for picture in pictures)
