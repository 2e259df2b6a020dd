"""Packed points: what goes in comes out, bit for bit, and what is damaged is refused."""

from __future__ import annotations

import math
import struct

import pytest

from goodseed.columns import Points, pack, pack_columns, pack_numbers, unpack, unpack_columns, unpack_numbers
from goodseed.errors import InvalidValueError

ODD = [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan, -(2.0**63)]
STEPS = [-3.5, -0.0, 1.0, 2.0, 2.5, 2**53 - 1.0, 1e300, 5e-324]
TIMES = [1_790_000_000.001 + step for step in range(8)]


def bits(points: Points) -> tuple[str, str, bytes, list[object], bytes]:
    """The points, their numbers as bytes: NaN equals itself, and -0.0 is not 0.0."""
    values = [struct.pack("<d", value) if isinstance(value, float) else value for value in points.values]
    return points.path, points.kind, pack_numbers(points.steps), values, pack_numbers(points.times)


@pytest.mark.parametrize("version", [1, 2])
def test_every_double_comes_back(version: int) -> None:
    """Steps, values and times are the same doubles after a round trip, in both versions."""
    several = [
        Points("a/b", "metric", STEPS, ODD, TIMES),
        Points("é", "metric", STEPS, ODD[::-1], TIMES),
        Points("whole", "metric", [1.0, 2.0], [3.0, 4.0], [1_790_000_000.0, 1_790_000_000.5]),
    ]

    assert [bits(points) for points in unpack(pack(several, version=version))] == [bits(points) for points in several]


def test_other_kinds_come_back() -> None:
    """Texts and byte strings of any content come back, each series under its kind."""
    several = [
        Points("log", "string", [1.0, 2.0], ["", "hä\0\n"], [1.0, 2.0]),
        Points("metric", "metric", [1.0, 2.0], [1.0, math.nan], [1.0, 2.0]),
        Points("shape", "vector", [1.0, 2.0], [b"", bytes(range(256))], [1.0, 2.0]),
        Points("fine", "string", [1.0], ["x"], [0.1234567]),
    ]

    assert [bits(points) for points in unpack(pack(several))] == [bits(points) for points in several]


def test_none_is_nan_and_empty_series_are_left_out() -> None:
    """None, as a run file holds NaN, is NaN; a series without a point takes no place."""
    packed = pack([Points("a", "metric", [], [], []), Points("b", "metric", [1.0], [None], [1.0])])

    ((path, _, steps, (value,), _),) = unpack(packed)
    assert (path, steps, str(value)) == ("b", [1.0], "nan")
    assert list(unpack(pack([]))) == []


def test_bad_bodies_are_refused() -> None:
    """Whatever is cut, of another version, or holds too much raises `InvalidValueError`, and nothing else."""
    several = [
        Points("a", "metric", [1.0, 2.5], [1.0, 2.0], [1.0, 2.0]),
        Points("b", "string", [1.0], ["ä"], [1.0]),
    ]
    good = pack(several)
    cut = [good[:size] for size in range(len(good)) if size not in (8, len(pack(several[:1])))]
    for body in [*cut, good.replace(b"gspts\2", b"gspts\3"), good.replace("ä".encode(), b"\xff\xff"), b"{}"]:
        with pytest.raises(InvalidValueError):
            list(unpack(body))
    with pytest.raises(InvalidValueError, match="at most 2"):
        list(unpack(good, 2))


def test_plain_columns() -> None:
    """Columns of doubles come back as arrays, floats as floats; what has another size is refused."""
    first, second = unpack_columns(pack_columns([[1.0, None], [math.inf, -0.0]]), 2)

    assert (str(first.tolist()), str(second.tolist())) == ("[1.0, nan]", "[inf, -0.0]")
    assert unpack_numbers(pack_numbers([0.5, 2.0], "f"), "f").tolist() == [0.5, 2.0]
    assert pack_numbers([1.0]) == struct.pack("<d", 1.0)
    assert [list(column) for column in unpack_columns(b"", 3)] == [[], [], []]
    for content, count in ((bytes(8), 2), (bytes(15), 1)):
        with pytest.raises(InvalidValueError):
            unpack_columns(content, count)
