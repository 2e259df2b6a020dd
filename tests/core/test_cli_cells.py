"""How the command line prints numbers, times and text in the cells of a table."""

from __future__ import annotations

import math

import pytest

from goodseed.cli.table import ago, duration, number
from goodseed.terminal import pad, printable, text_width


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "0s"), (59.9, "59s"), (60, "1m"), (7200, "2h"), (86400, "1d"), (45 * 86400, "1mo"), (800 * 86400, "2y")],
)
def test_ago(seconds: float, expected: str) -> None:
    """An age has one unit."""
    assert expected == ago(seconds)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0.0s"), (0.49, "0.4s"), (42.9, "42s"), (185, "3m 05s"), (7800, "2h 10m"), (356400, "4d 03h")],
)
def test_duration(seconds: float, expected: str) -> None:
    """A duration has two units."""
    assert expected == duration(seconds)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.123456, "0.1235"), (1.0, "1"), (-1e-9, "-1e-09"), (math.nan, "NaN"), (-math.inf, "-Infinity")],
)
def test_number(value: float, expected: str) -> None:
    """A metric's value has four digits that count."""
    assert expected == number(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("é 日本 🙂", "é 日本 🙂"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[1m", "\\x1b[1m"),
        ("\u202ex", "\\u202ex"),
        ("\x9b", "\\x9b"),
        ("a\xa0b", "a b"),
        ("\udc80", "\\udc80"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    """What is not visible is shown as its escape."""
    assert expected == printable(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abc", "abc   "), ("abcdefg", "abcde…"), ("日本語文字", "日本… "), ("e\u0301", "e\u0301     ")],
)
def test_pad(text: str, expected: str) -> None:
    """Text takes exactly the columns that it is given, wide characters two of them."""
    assert expected == pad(text, 6)
    assert 6 == text_width(pad(text, 6))
