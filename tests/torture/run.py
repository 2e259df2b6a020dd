"""Tortures the run file and reads it afterwards. Every scenario prints one line; the exit status says whether all held.

python tests/torture/run.py [--kills N] [--only NAME ...] [--seed S]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import damage
import disks
import kills
import rollups
import together

SCENARIOS = {
    "kill": kills.killed_at_random_moments,
    "long-series": rollups.long_series_are_killed,
    "torn-inbox": damage.torn_inbox,
    "torn-wal": damage.torn_wal,
    "disk-full": disks.disk_full_and_room_again,
    "read-only-home": disks.home_that_cannot_be_written,
    "foreign-lock": disks.foreign_lock,
    "deleted-directory": disks.deleted_directory,
    "snapshot": disks.reader_holds_a_snapshot,
    "close-race": together.threads_log_while_another_closes,
    "eight-processes": together.eight_processes_start_at_once,
}


def main() -> int:
    """Run the scenarios that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--kills", type=int, default=3000, help="how many processes to kill in all (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    failed = 0
    for name in options.only:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="goodseed-torture-") as directory:
            try:
                outcome = SCENARIOS[name](Path(directory), random.Random(seed), options.kills)
            except Exception:
                failed += 1
                outcome = f"FAILED\n{traceback.format_exc()}"
        print(f"{name:18} {time.monotonic() - started:6.1f} s  {outcome}", flush=True)
    print(f"{len(options.only) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
