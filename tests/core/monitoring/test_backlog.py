"""What waits to be stored: bounded, counted, complete."""

from __future__ import annotations

import threading

from goodseed.monitoring.console.backlog import Backlog


def test_pieces_come_back_in_order() -> None:
    """What is put is taken, with its times, once."""
    backlog = Backlog(lambda: None)
    backlog.put("a", 1.0)
    backlog.put(b"b", 2.0)

    assert backlog.take() == ([("a", 1.0), (b"b", 2.0)], 0)
    assert backlog.take() == ([], 0)


def test_lines_beyond_the_bound_are_counted() -> None:
    """A full backlog takes no more, says how many lines it turned away, and has room again after it was taken."""
    backlog = Backlog(lambda: None, max_bytes=1000)
    for _ in range(100):
        backlog.put("x\n", 0.0)
    pieces, dropped = backlog.take()
    backlog.put("y\n", 0.0)

    assert len(pieces) + dropped == 100
    assert 0 < dropped < 100
    assert backlog.take() == ([("y\n", 0.0)], 0)


def test_no_line_is_lost_or_counted_twice_among_threads() -> None:
    """Every line that threads put at once is either taken or counted as dropped."""
    backlog = Backlog(lambda: None, max_bytes=100_000)

    def put_many() -> None:
        for _ in range(5000):
            backlog.put("x\n", 0.0)

    threads = [threading.Thread(target=put_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken = dropped = 0
    while any(thread.is_alive() for thread in threads):
        pieces, more = backlog.take()
        taken, dropped = taken + len(pieces), dropped + more
    for thread in threads:
        thread.join()
    pieces, more = backlog.take()

    assert taken + len(pieces) + dropped + more == 20_000


def test_it_asks_to_be_emptied_before_it_is_full() -> None:
    """The owner is called once when the backlog has filled by an eighth."""
    calls: list[None] = []
    backlog = Backlog(lambda: calls.append(None))
    for _ in range(20):
        backlog.put("x" * 1_000_000, 0.0)

    assert len(calls) == 1
