"""Run ids that people can read and say."""

from __future__ import annotations

import random
import re
from itertools import islice

from goodseed.names import candidates
from goodseed.paths import check_run_id


def test_ids_are_readable_and_differ() -> None:
    """Ids are an adjective, a noun and a suffix, valid as they are, and a hundred thousand starts share hardly any."""
    first = [next(candidates()) for _ in range(2000)]

    assert all(re.fullmatch(r"[a-z]+-[a-z]+-[a-z2-9]{3}", name) for name in first)
    assert first == [check_run_id(name) for name in first]
    assert len(set(first)) >= 1999


def test_ids_grow_until_one_is_free() -> None:
    """The candidates of one start get longer, so that in the end one is free."""
    lengths = [len(name.rsplit("-", 1)[1]) for name in islice(candidates(), 20)]

    assert lengths == sorted(lengths)
    assert lengths[-1] == 12


def test_random_state_is_the_users() -> None:
    """Seeds neither decide nor notice the ids."""
    random.seed(7)
    state = random.getstate()
    one = next(candidates())
    random.seed(7)
    other = next(candidates())

    assert one != other
    assert state == random.getstate()
