"""Commands of plugins: an installed package adds to `goodseed`, and takes nothing away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import goodseed

PLUGIN = """
from goodseed.hookspecs import hookimpl

def add_arguments(parser):
    parser.add_argument("--loud", action="store_true")

def run(arguments):
    print("HELLO" if arguments.loud else "hello")
    return 3

@hookimpl
def goodseed_commands():
    return [("greet", "say hello", add_arguments, run), ("list", "not that one", add_arguments, run)]
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A directory with the package ``acme``, whose plugin has a command, and one whose commands are invalid."""
    info = tmp_path / "acme-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[goodseed]\nacme = acme_commands\nodd = acme_odd\n")
    (tmp_path / "acme_commands.py").write_text(PLUGIN)
    odd = "from goodseed.hookspecs import hookimpl\n@hookimpl\ndef goodseed_commands():\n    return [1]\n"
    (tmp_path / "acme_odd.py").write_text(odd)
    return tmp_path


def command(plugins: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``goodseed`` does with the plugins installed."""
    path = os.pathsep.join([str(plugins), str(Path(goodseed.__file__).parent.parent)])
    return subprocess.run(
        [sys.executable, "-m", "goodseed", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
        timeout=60,
    )


def test_command_of_a_plugin(plugins: Path) -> None:
    """It takes its arguments, its status is the process's, and the help names it; ours can't be replaced."""
    done = command(plugins, "greet", "--loud")
    listed = command(plugins, "list", "--json")
    shown = command(plugins, "--help")

    assert (3, "HELLO\n") == (done.returncode, done.stdout)
    assert (0, '{\n  "projects": [],\n  "problems": []\n}\n') == (listed.returncode, listed.stdout)
    assert "say hello" in shown.stdout
    assert "not that one" not in shown.stdout
    assert "the command list of plugin acme is left out" in shown.stderr
    assert 1 == shown.stderr.count("plugin odd has invalid commands")


def test_plugins_are_listed(plugins: Path) -> None:
    """`goodseed plugins` names each plugin, its package and its hooks, and those that are turned off."""
    on = command(plugins, "plugins").stdout.splitlines()
    off = command(plugins, "plugins", GOODSEED_DISABLE_PLUGINS="acme").stdout.splitlines()
    unknown = command(plugins, "greet", GOODSEED_DISABLE_PLUGINS="1")

    assert "acme  (acme 1.2)  goodseed_commands" in on
    assert "goodseed-gpu  (goodseed)  goodseed_facts, goodseed_hardware_samplers" in on
    assert "acme  (acme 1.2)  off, or could not be loaded" in off
    assert 2 == unknown.returncode
