"""docs/hub.md is exact: its commands, options, unit and container file do what it says."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub_process import MakeHub

from goodseed_hub.cli import add_arguments
from goodseed_hub.registry.schema import MIGRATIONS
from goodseed_hub.stores import statements

_TEXT = (Path(__file__).parents[2] / "docs" / "hub.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", _TEXT, re.DOTALL | re.MULTILINE)


def block(start: str) -> str:
    """The one block of code that has ``start`` in it."""
    (found,) = [text for _, text in _BLOCKS if start in text]
    return str(found)


def parser() -> argparse.ArgumentParser:
    """That of ``goodseed hub``."""
    made = argparse.ArgumentParser()
    add_arguments(made)
    return made


_COMMANDS = sorted(
    {match[1] for _, text in _BLOCKS for match in re.finditer(r"goodseed hub ([^#\n]+)", text)}
    | {match[1] for match in re.finditer(r"`goodseed hub ((?:migrate|export)[^`]*)`", _TEXT)}
)


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_is_one(command: str) -> None:
    """What is shown can be typed."""
    arguments = parser().parse_args(shlex.split(command))

    assert callable(arguments.hub_command)


def test_the_options_of_serve_are_all_there() -> None:
    """The table of options has each, and no other."""
    shown = subprocess.run(
        [sys.executable, "-m", "goodseed", "hub", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    table = _TEXT[_TEXT.index("| option of `serve`") : _TEXT.index("## Who may do what")]

    assert set(re.findall(r"--[a-z-]+", shown)) - {"--help"} == set(re.findall(r"`(--[a-z-]+)", table))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd checks its own units")
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """systemd-analyze has nothing to say about it."""
    unit = tmp_path / "goodseed-hub.service"
    unit.write_text(block("[Service]").replace("/opt/goodseed/bin/goodseed", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)

    assert (0, "") == (done.returncode, done.stderr)


def test_the_container_file_does_what_it_says(make_hub: MakeHub) -> None:
    """Its command is one of the hub's, at the port that it exposes, and its check of the health tells life from death."""
    lines = block("FROM python").splitlines()
    (command,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    (check,) = [line.removeprefix("HEALTHCHECK CMD ") for line in lines if line.startswith("HEALTHCHECK CMD ")]
    (port,) = [line.removeprefix("EXPOSE ") for line in lines if line.startswith("EXPOSE ")]
    arguments = parser().parse_args(command[2:])
    hub = make_hub()
    check = check.replace("python ", f"{sys.executable} ", 1).replace(f"http://127.0.0.1:{port}", hub.url)
    alive = subprocess.run(check, shell=True, capture_output=True).returncode
    hub.stop()
    dead = subprocess.run(check, shell=True, capture_output=True).returncode

    assert (["goodseed", "hub"], "0.0.0.0", int(port)) == (command[:2], arguments.host, arguments.port)
    assert (0, 1) == (alive, dead)
    assert f":{port}:{port} " in block("docker run")


def test_every_table_is_named() -> None:
    """The tables that are described, and those that are distributed, are those that there are."""
    made = {
        name
        for group in (*MIGRATIONS, *statements.MIGRATIONS)
        for statement in group
        for name in re.findall(r"CREATE TABLE (\w+)", statement)
    } | {"hub_version"}
    described = _TEXT[_TEXT.index("### Tables") : _TEXT.index("### The codec")]

    assert made == set(re.findall(r"`(hub_\w+)`", described))
    assert made == set(re.findall(r"'(hub_\w+)'", block("create_reference_table")))
