"""How bodies become points: whatever comes, it is points or a refusal."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hub_process import point
from hypothesis import given, settings
from hypothesis import strategies as st

from goodseed_hub.errors import ApiError
from goodseed_hub.limits import Limits, MemoryGate, RateLimiter
from goodseed_hub.wire.bodies import decompress
from goodseed_hub.wire.lenient_json import loose_points
from goodseed_hub.wire.points import Ingest, read_points

LIMITS = Limits()
JSON = "application/json"
PROTOBUF = "application/protobuf"

_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([])
_fields = st.sampled_from(["path", "step", "timestampMs", "number", "text", "other"])
_loose = st.dictionaries(_fields, _values, max_size=6) | _values
_numbers = st.floats() | st.integers(-(2**60), 2**60) | st.sampled_from(["NaN", "Infinity", "-Infinity"])
_paths = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
_point = st.fixed_dictionaries(
    {
        "path": _paths,
        "step": st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e300, 1e300),
        "timestampMs": st.integers(0, 10**13),
    }
)
_metric = st.tuples(_point, _numbers).map(lambda pair: {**pair[0], "number": pair[1]})
_text = st.tuples(_point, st.text(st.characters(exclude_categories=["Cs"]))).map(
    lambda pair: {**pair[0], "text": pair[1]}
)


def outcome(action: Callable[[], Any]) -> Any:
    """What it returns, or the refusal that it raises."""
    try:
        return action()
    except ApiError as error:
        return error


def simple(one: Any) -> bool:
    return bool(one["path"].lstrip("/")) and "\0" not in one["path"] and abs(one["step"]) < 2**53


@given(st.lists((_metric | _text).filter(simple), max_size=20))
@settings(max_examples=150, deadline=None)
def test_both_ways_of_reading_give_the_same(points: list[dict[str, Any]]) -> None:
    """Points that come with a bad one among them are read as those that come without."""
    quickly = read_points(json.dumps({"points": points}).encode(), JSON, LIMITS)
    slowly = read_points(json.dumps({"points": [*points, None]}).encode(), JSON, LIMITS)

    assert [] == quickly.rejected
    assert [len(points)] == [index for index, _ in slowly.rejected]
    in_order = [sorted(found.taken, key=lambda some: some.kind) for found in (quickly, slowly)]
    assert repr(in_order[0]) == repr(in_order[1])
    assert len(points) == sum(len(some.steps) for some in quickly.taken)


@given(st.lists(_loose, max_size=10))
@settings(max_examples=300, deadline=None)
def test_every_point_is_taken_or_named(points: list[Any]) -> None:
    """Each is either stored or in the list of those that were not."""
    found = read_points(json.dumps({"points": points}).encode(), JSON, LIMITS)
    taken = sum(len(some.steps) for some in found.taken)

    assert len(points) == taken + len(found.rejected)


@given(st.binary(max_size=300), st.sampled_from([JSON, PROTOBUF]))
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_points_or_a_refusal(body: bytes, content_type: str) -> None:
    """Nothing else is ever raised, and what is refused is a 4xx."""
    found = outcome(lambda: read_points(body, content_type, LIMITS))

    assert isinstance(found, Ingest) or 400 <= found.status < 500


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_gzip_or_a_refusal(body: bytes, is_started: bool) -> None:
    """What is damaged is told; what is whole comes back."""
    damaged = (gzip.compress(b"x" * 50)[:12] if is_started else b"") + body
    found = outcome(lambda: decompress(damaged, "gzip", 300))

    assert body == decompress(gzip.compress(body), "gzip", 300)
    assert isinstance(found, bytes) or found.status in (400, 413)


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
def test_a_request_has_so_many_points(content_type: str) -> None:
    """One more is a 413, whichever way it comes."""
    limits = replace(LIMITS, max_points=3)
    one = b"\x0a\x0e\x0a\x01m\x10\x01\x21" + b"\0" * 8
    bodies = {
        JSON: [
            json.dumps(
                {"points": [{"path": "m", "step": s, "timestampMs": 0, "number": 1} for s in range(count)]}
            ).encode()
            for count in (3, 4)
        ],
        PROTOBUF: [one * 3, one * 4],
    }[content_type]

    assert [3] == [len(some.steps) for some in read_points(bodies[0], content_type, limits).taken]
    with pytest.raises(ApiError, match="must have at most 3 points") as refusal:
        read_points(bodies[1], content_type, limits)
    assert 413 == refusal.value.status


def test_a_number_of_many_digits_is_one_bad_point() -> None:
    """What no double can hold is left out and named; the others of the batch are taken."""
    good = '{"path": "m", "step": 1, "timestampMs": 1, "number": 2}'
    bad = good.replace('"number": 2', '"number": ' + "9" * 5000)
    found = read_points(f'{{"points": [{good}, {bad}, {good}]}}'.encode(), "application/json", Limits())

    assert [[1.0, 1.0]] == [some.steps for some in found.taken]
    assert [1] == [index for index, _ in found.rejected]


def test_keys_have_a_rate_each() -> None:
    """The burst at once, then so many a second; and what is left comes back with time."""
    now = [0.0]
    limiter = RateLimiter(2.0, 3, clock=lambda: now[0])
    at_once = [limiter.wait_seconds("a") for _ in range(4)]
    other = limiter.wait_seconds("b")
    now[0] = 0.5
    later = [limiter.wait_seconds("a") for _ in range(2)]

    assert [0.0, 0.0, 0.0, 0.5] == at_once
    assert 0.0 == other
    assert [0.0, 0.5] == later


def test_who_asks_too_often_is_let_in_at_the_rate() -> None:
    """Refused requests cost nothing: of eight a second, the five that are allowed pass."""
    now = [0.0]
    limiter = RateLimiter(5.0, 5, clock=lambda: now[0])
    passed = 0
    for number in range(160):
        now[0] = number / 8
        passed += limiter.wait_seconds("a") == 0.0

    assert 95 <= passed <= 105


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_objects = st.dictionaries(st.text(max_size=5), _scalars, max_size=6)
_spaces = st.sampled_from([None, 1, "\t"])


@given(st.lists(_objects | _scalars | st.lists(_scalars, max_size=3), max_size=5), _objects, _spaces, st.booleans())
@settings(max_examples=300, deadline=None)
def test_bodies_are_read_piece_by_piece_as_json_has_it(
    points: list[Any], more: dict[str, Any], indent: Any, is_first: bool
) -> None:
    """Objects come as they are, whatever else is in the body and however it is written; None stands for the rest."""
    more.pop("points", None)
    content = {"points": points, **more} if is_first else {**more, "more": [{"a": ["}"]}], "points": points}
    found = list(loose_points(json.dumps(content, indent=indent).encode()))

    assert repr([one if isinstance(one, dict) else None for one in points]) == repr(found)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"1", b"{", b"{}", b'{"points"}', b'{"points":', b'{"points":1}', b'{"points":[', b'{"points":[{}',
        b'{"points":[{},]}', b'{"points":[{}]', b'{"points":[{}],}', b'{"points":[{}]}x', b'{"points":[{} {}]}',
        b'{"points":[],"points":[]}', b'{points:[]}', b'{"points":["]}', b'{"points":[{"a":}]}', b'{"points":[\xff]}',
        b'{"a":[[],"points":[]}',
    ],
)  # fmt: skip
def test_bodies_that_are_none(body: bytes) -> None:
    """What is no object with a list of points is refused, wherever the fault is."""
    with pytest.raises(ApiError) as refused:
        list(loose_points(body))

    assert 400 == refused.value.status


def test_so_many_points_may_be_bad() -> None:
    """Of very many that are bad, none is named, and nothing is stored."""
    good = json.dumps(point("m", 0, 1)).encode()
    with pytest.raises(ApiError, match="More than 100,000 of the points are invalid"):
        read_points(b'{"points":[' + good + b",{}" * 100_001 + b"]}", JSON, Limits())


def test_what_is_held_can_become_less() -> None:
    """Who turns out to need less lets others in."""
    gate = MemoryGate(10)
    with gate.holding(10) as keep:
        keep(4)
        with gate.holding(6):
            is_in = True

    assert is_in


def test_what_is_too_large_alone_is_let_in_alone() -> None:
    """A body beyond the whole room does not wait for ever."""
    gate = MemoryGate(10)
    with gate.holding(100):
        pass
    with gate.holding(5), gate.holding(5):
        is_in = True

    assert is_in
