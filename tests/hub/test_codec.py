"""The blocks in which the PostgreSQL store keeps points."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goodseed.columns import Points
from goodseed.errors import FileFormatError
from goodseed_hub.stores.codec import FAST, pack, unpack

_steps = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53).map(float)
_times = st.integers(0, 253_402_300_799_999).map(lambda ms: ms / 1000) | st.floats(0, 1e12)
_paths = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def columns(kind: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[list[Points]]:
    rows = st.lists(st.tuples(_steps, values, _times), min_size=1, max_size=30)
    points = st.builds(lambda path, rows: Points(path, kind, *map(list, zip(*rows, strict=True))), _paths, rows)
    return st.lists(points, max_size=5)


@given(
    columns("metric", st.floats()), columns("string", st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
)
@settings(max_examples=200, deadline=None)
def test_what_is_packed_is_unpacked(metrics: list[Points], texts: list[Points]) -> None:
    """Every step, value and time comes back to the bit, in its order."""
    found = unpack(pack([*metrics, *texts], FAST))

    assert repr([*metrics, *texts]) == repr(found)


def test_blocks_of_older_hubs_are_read() -> None:
    """What a hub has written before version 2 of the codec comes back as it was."""
    block = (
        "01789c636600021606662099935f5cccc0c4c008641e5ec9c80c6482c4d21970820f2c1c0cf60e0e60f6860337361c07023620700502"
        "1e20a80202272060049b8904181919314dc3061efcf8c0605fffbf01e24806868cc34bb800c8301785"
    )

    assert repr(unpack(bytes.fromhex(block))) == repr(
        [
            Points(
                "loss",
                "metric",
                [0.0, 1.0, 2.5],
                [0.5, math.nan, -math.inf],
                [1790000000.123, 1790000000.124, 1790000000.1255],
            ),
            Points("é", "metric", [3.0], [-0.0], [1790000000.123]),
            Points("log", "string", [0.0, 1.0], ["", "hä\n"], [0.001, 0.002]),
        ]
    )


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_damaged_blocks_are_told(damaged: bytes) -> None:
    """Anything that is no block is a `FileFormatError`, also one of a newer version."""
    for packed in (
        damaged,
        b"\1" + damaged,
        b"\2" + damaged,
        pack([Points("m", "metric", [1.0], [2.0], [3.0])], FAST)[:-3] + damaged,
    ):
        with contextlib.suppress(FileFormatError):
            unpack(packed)
    with pytest.raises(FileFormatError, match="version 03"):
        unpack(b"\3abc")
