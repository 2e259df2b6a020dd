"""Measures what the README claims, and prints a table a section: ``nox -s bench``, or ``python benchmarks/run.py``.

Every figure comes with what it is compared to in the same run; the bound beside it is what the project asks of itself,
and nothing is asserted. `README.md` beside this file says how the figures are made.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import busy
import caller
import end_to_end
import environments
import footprint
from peers import PEERS

import goodseed

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class _Options:
    rounds: int
    peers: list[environments.Peer]


def _script(name: str, *arguments: str) -> Callable[[_Options], None]:
    def run(_: _Options) -> None:
        print(f"\n{name}\n", flush=True)
        subprocess.run([sys.executable, str(_HERE / name), *arguments], check=True)

    return run


def _serving(options: _Options) -> None:
    reference = next((peer.python for peer in options.peers if peer.name == "goodseed" and peer.python), None)
    _script("serving.py", *(["--reference", reference] if reference else []))(options)


def _syncing(options: _Options) -> None:
    reference = next((peer.python for peer in options.peers if peer.name == "goodseed" and peer.python), None)
    _script("syncing.py", *(["--reference", reference] if reference else []))(options)


def _reading(options: _Options) -> None:
    reference = next((peer.python for peer in options.peers if peer.name == "goodseed" and peer.python), None)
    _script("reading.py", *(["--reference", reference] if reference else []))(options)


def _page(options: _Options) -> None:
    trackio = next((peer.python for peer in options.peers if peer.name == "trackio" and peer.python), None)
    _script("page.py", *(["--trackio", trackio] if trackio else []))(options)


_SECTIONS: dict[str, Callable[[_Options], None]] = {
    "calls": lambda options: caller.report_calls(options.rounds),
    "pauses": lambda options: caller.report_pauses(options.rounds),
    "end-to-end": lambda options: end_to_end.report_end_to_end(options.rounds, options.peers),
    "busy": lambda options: busy.report_busy(options.rounds),
    "disk": lambda _: footprint.report_disk(),
    "memory": lambda _: footprint.report_memory(),
    "start": lambda options: footprint.report_start(options.rounds, options.peers),
    "monitoring": _script("monitoring.py"),
    "catalog": _script("catalog.py"),
    "serving": _serving,
    "syncing": _syncing,
    "reading": _reading,
    "page": _page,
    "scale": _script("scale.py"),
}
_ON_REQUEST = ("monitoring", "catalog", "serving", "syncing", "reading", "page", "scale")  # minutes each


def main() -> None:
    """Print the machine, then the sections."""
    options = _parser().parse_args()
    started = time.monotonic()
    _print_machine()
    peers = [] if options.without_peers else environments.prepare(options.cache.expanduser(), options.peers)
    for section in options.sections:
        _SECTIONS[section](_Options(options.rounds, peers))
    print(f"\n{(time.monotonic() - started) / 60:.1f} minutes")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure what the README claims.")
    parser.add_argument("--without-peers", action="store_true", help="compare with the floor and raw SQLite only")
    parser.add_argument(
        "--peers", nargs="+", default=[], choices=[name.partition("==")[0] for name in PEERS], help="only these peers"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("~/.cache/goodseed-bench"), help="where the peers' environments are kept"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each comparison is made (default: 5)")
    parser.add_argument(
        "--sections",
        nargs="+",
        choices=list(_SECTIONS),
        default=[name for name in _SECTIONS if name not in _ON_REQUEST],
        help=f"only these (default: all but {', '.join(_ON_REQUEST)})",
    )
    return parser


def _print_machine() -> None:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores{load}")
    print(
        f"goodseed {goodseed.__version__}, {platform.python_implementation()} {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}",
        flush=True,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown processor")


if __name__ == "__main__":
    main()
