"""What a log call costs its caller, against appending a tuple a point to a list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from measuring import Job, Result, figure, in_process, in_turns, median, ratio, span, table

__all__ = ["report_calls", "report_pauses"]

# (what is called, how it is opened, calls, metrics a call, bound of the ratio to the floor)
_CALLS = (
    ("1 metric, run.log_metrics", "targets:open_goodseed", 50_000, 1, "≤ 4"),
    ("1 metric, run[path].log", "targets:open_field", 50_000, 1, "≤ 8"),
    ("100 metrics, run.log_metrics", "targets:open_goodseed", 2_000, 100, "≤ 0.8"),
    ("10,000 metrics, run.log_metrics", "targets:open_goodseed", 201, 10_000, "≤ 0.5"),
)
# (what is logged, calls, metrics a call, loops of pure Python between two calls)
_BUSY = (
    ("1 metric every 0.1 ms", 20_000, 1, 2_000),
    ("100 metrics every ms", 2_000, 100, 20_000),
    ("10,000 metrics every 20 ms", 100, 10_000, 400_000),
)
_FLOOR = "targets:open_floor"


def _times(**arguments: Any) -> Job:
    return partial(in_process, "calls:log_for_caller", **arguments)


def report_calls(rounds: int) -> None:
    """Print the caller's times and their ratio to the floor, then how even they are."""
    rows, even = [], []
    for label, opener, calls, width, bound in _CALLS:
        results = in_turns(
            {
                label: _times(opener=opener, calls=calls, width=width),
                f"{label}, floor": _times(opener=_FLOOR, calls=calls, width=width),
            },
            rounds,
        )
        ours, floor = results.values()
        times = [span(median(ours, key) / 1e9) for key in ("p50", "p99", "max", "first")]
        ratios = [f"{figure(ratio(ours, floor, key))} ×" for key in ("timed_p50", "p50")]
        rows.append([label, *times, span(median(floor, "p50") / 1e9), ratios[0], bound, ratios[1]])
        even.append([label, *_evenness(ours, floor)])
    table(
        "The caller's cost of a call, while the run's thread stores",
        ["", "p50", "p99", "longest", "first", "floor p50", "p50 ÷ floor", "bound", "clock left out"],
        rows,
        "The first call defines the metrics, and is in no other figure. Times are without the clock's own. The ratio\n"
        "with a bound is that of the calls as they are timed, the clock's reading in both; the last is without it.\n"
        f"Medians of {rounds} rounds; a ratio is the median of the rounds' ratios.",
    )
    table(
        "How even the calls are",
        ["", "p99 ÷ p50", "bound", "longest of all", "floor's longest of all", "bound"],
        even,
        "What the floor's longest call shows is the machine's own: the floor has no thread and no file.",
    )


def _evenness(ours: Sequence[Result], floor: Sequence[Result]) -> list[str]:
    spread = figure(median([{"spread": result["p99"] / result["p50"]} for result in ours], "spread"))
    return [spread, "≤ 20", *_longest(ours, floor)]


def _longest(ours: Sequence[Result], floor: Sequence[Result]) -> list[str]:
    return [*(span(max(result["max"] for result in results) / 1e9) for results in (ours, floor)), "≤ 50 ms"]


def report_pauses(rounds: int) -> None:
    """Print the longest call of a main thread that computes in pure Python between its calls."""
    rows = []
    for label, calls, width, loops in _BUSY:
        results = in_turns(
            {
                name: _times(opener=opener, calls=calls, width=width, work_loops=loops)
                for name, opener in (("ours", "targets:open_goodseed"), ("floor", _FLOOR))
            },
            rounds,
        )
        ours, floor = results.values()
        rows.append([label, *(span(median(ours, key) / 1e9) for key in ("p50", "p99")), *_longest(ours, floor)])
    table(
        "The calls of a main thread that computes in pure Python in between",
        ["", "p50", "p99", "longest of all", "floor's longest of all", "bound"],
        rows,
        f"The longest call of {rounds} processes each.",
    )
