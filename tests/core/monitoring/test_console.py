"""Console capture, over streams of the ordinary type."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from goodseed.monitoring.console.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("terminal")

OUT, ERR = "m/stdout", "m/stderr"


@contextlib.contextmanager
def captured(sink: Any, namespace: str = "m") -> Iterator[Console]:
    """Captures both streams meanwhile."""
    console = Console(sink, namespace, ["stdout", "stderr"], capture_fd=False, hurry=lambda: None)
    console.start()
    try:
        yield console
    finally:
        console.stop()


def test_what_is_printed_is_stored_and_shown(sink: Any, terminal: io.BytesIO) -> None:
    """Each stream has its series, and the terminal shows exactly what it would have shown."""
    with captured(sink):
        print("one", 2)
        print("wrong", file=sys.stderr)
        sys.stdout.writelines(["three\n", "four"])

    assert sink.lines(OUT) == ["one 2", "three", "four"]
    assert sink.lines(ERR) == ["wrong"]
    assert terminal.getvalue() == b"one 2\nthree\nfour"


def test_a_line_has_the_time_at_which_it_was_written(sink: Any) -> None:
    """The time is that of the write, not that of the storing."""
    with captured(sink):
        before = time.time()
        print("now")
        after = time.time()
        time.sleep(0.02)  # what is stored later must not have a later time

    assert before <= sink.times[OUT][0] <= after


def test_steps_go_on_after_those_of_a_resumed_run(sink: Any) -> None:
    """Each stream counts on from the step that the sink names."""
    sink.first_steps = {OUT: 5}
    with captured(sink):
        print("a\nb")
        print("c", file=sys.stderr)

    assert list(sink.strings[OUT]) == [5, 6]
    assert list(sink.strings[ERR]) == [0]


def test_a_handler_that_holds_the_stream_is_captured(sink: Any) -> None:
    """What was given the stream before the run began is seen too."""
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("test_console.handler")
    logger.addHandler(handler)
    with captured(sink):
        logger.warning("logged")
    logger.removeHandler(handler)

    assert sink.lines(ERR) == ["logged"]


def test_bytes_written_to_the_buffer_are_captured_once(sink: Any, terminal: io.BytesIO) -> None:
    """Bytes and text come in the order in which they were written, none of it twice."""
    with captured(sink):
        print("text")
        sys.stdout.buffer.write("bytés\n".encode())
        print("text again", flush=True)

    assert sink.lines(OUT) == ["text", "bytés", "text again"]
    assert terminal.getvalue().decode() == "text\nbytés\ntext again\n"


def test_the_streams_are_as_they_were(sink: Any) -> None:
    """The stream objects are the same during the capture, and nothing of it is left on them afterwards."""
    stdout, write = sys.stdout, sys.stdout.write
    with captured(sink):
        assert sys.stdout is stdout
        assert (sys.stdout.encoding, sys.stdout.isatty()) == ("utf-8", False)

    assert sys.stdout is stdout
    assert sys.stdout.write == write
    assert "write" not in vars(stdout)
    assert "write" not in getattr(stdout.buffer, "__dict__", {})


def test_several_runs_each_get_their_lines(sink: Any, terminal: io.BytesIO) -> None:
    """Runs that overlap in any order see what is printed while they are open, and the terminal shows it once."""
    first = Console(sink, "a", ["stdout"], capture_fd=False, hurry=lambda: None)
    second = Console(sink, "b", ["stdout"], capture_fd=False, hurry=lambda: None)
    first.start()
    print(1)
    second.start()
    print(2)
    first.stop()
    print(3)
    second.stop()
    print(4)

    assert sink.lines("a/stdout") == ["1", "2"]
    assert sink.lines("b/stdout") == ["2", "3"]
    assert terminal.getvalue() == b"1\n2\n3\n4\n"
    assert "write" not in vars(sys.stdout)


def test_what_others_put_on_top_stays(sink: Any, terminal: io.BytesIO) -> None:
    """A write that somebody set over ours is not removed, and works on after the capture has ended."""
    console = Console(sink, "m", ["stdout"], capture_fd=False, hurry=lambda: None)
    console.start()
    ours = sys.stdout.write

    def theirs(text: str) -> int:
        return ours(text.upper())

    sys.stdout.write = theirs  # type: ignore[method-assign]
    print("a")
    console.stop()
    print("b")

    assert sys.stdout.write is theirs
    assert sink.lines(OUT) == ["A"]
    assert terminal.getvalue() == b"A\nB\n"


def test_a_capture_that_starts_over_a_foreign_write_sees_everything(sink: Any) -> None:
    """A later run captures though an earlier one's tap is buried under somebody's write."""
    first = Console(sink, "a", ["stdout"], capture_fd=False, hurry=lambda: None)
    first.start()
    ours = sys.stdout.write
    sys.stdout.write = lambda text: ours(text)  # type: ignore[method-assign]
    with captured(sink, "b"):
        print("x")
    first.stop()

    assert sink.lines("a/stdout") == ["x"]
    assert sink.lines("b/stdout") == ["x"]


def test_a_stream_set_meanwhile_is_left_alone(sink: Any) -> None:
    """Output that the script redirects is not captured, and the redirection is not undone."""
    other = io.StringIO()
    with captured(sink):
        with contextlib.redirect_stdout(other):
            print("elsewhere")
        print("here")
        sys.stdout = other

    assert sys.stdout is other
    assert sink.lines(OUT) == ["here"]


def test_a_stream_that_lets_nothing_be_set_is_captured(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream with slots is captured through a stand-in, which goes away at the end."""

    class Slotted(io.StringIO):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    stream = Slotted()
    monkeypatch.setattr(sys, "stdout", stream)
    with captured(sink):
        print("seen")
        assert isinstance(sys.stdout, io.StringIO)

    assert sys.stdout is stream
    assert stream.getvalue() == "seen\n"
    assert sink.lines(OUT) == ["seen"]


def test_no_streams_at_all_do_no_harm(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without stdout and stderr can be monitored."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with captured(sink):
        print("nowhere")

    assert sink.strings == {}


def test_one_stream_under_both_names_is_stored_once(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is stdout, its lines are stdout's."""
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    with captured(sink):
        print("a")
        print("b", file=sys.stderr)

    assert sink.lines(OUT) == ["a", "b"]
    assert sink.lines(ERR) == []


def test_the_errors_of_the_stream_reach_the_caller(sink: Any) -> None:
    """A write fails as it would without us."""
    with captured(sink):
        with pytest.raises(TypeError):
            sys.stdout.write(3)  # type: ignore[arg-type]
        sys.stdout.close()
        with pytest.raises(ValueError, match="closed"):
            print("x")

    assert sink.lines(OUT) == []


def test_a_sink_that_prints_does_not_feed_itself(sink: Any, terminal: io.BytesIO) -> None:
    """What is printed while lines are stored is shown and not stored."""
    store: Callable[..., None] = sink.log_strings

    def noisy(*args: Any, **kwargs: Any) -> None:
        print("storing")
        store(*args, **kwargs)

    sink.log_strings = noisy
    with captured(sink) as console:
        print("a")
        console.drain()
        console.drain()
        print("b")

    assert sink.lines(OUT) == ["a", "b"]
    assert terminal.getvalue() == b"a\nstoring\nb\nstoring\n"


def test_threads_lose_no_line(sink: Any) -> None:
    """Lines that several threads write at once while another drains are all stored."""

    def write(name: str) -> None:
        for number in range(2000):
            sys.stdout.write(f"{name}{number}\n")

    with captured(sink) as console:
        threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            console.drain()

    assert sorted(sink.lines(OUT)) == sorted(f"{name}{number}" for name in "abc" for number in range(2000))


def test_progress_bars_leave_their_last_state(sink: Any) -> None:
    """A tqdm bar leaves one line, and what is written through it stands above."""
    tqdm = pytest.importorskip("tqdm").tqdm
    with captured(sink) as console:
        for number in tqdm(range(50), mininterval=0, ascii=True):
            console.drain()
            if number == 25:
                tqdm.write("half way")

    assert sink.lines(OUT) == ["half way"]
    (bar,) = [line for line in sink.lines(ERR) if line]
    assert bar.startswith("100%|##########| 50/50")


def test_rich_progress_leaves_one_line_a_task(sink: Any) -> None:
    """Bars that rich redraws several times a second leave one line each."""
    console_module, progress_module = pytest.importorskip("rich.console"), pytest.importorskip("rich.progress")
    with captured(sink) as console:
        screen = console_module.Console(file=sys.stdout, force_terminal=True, width=80)
        with progress_module.Progress(console=screen, auto_refresh=False) as progress:
            tasks = [progress.add_task(name, total=20) for name in ("alpha", "beta")]
            for _ in range(20):
                for task in tasks:
                    progress.advance(task)
                progress.refresh()
                console.drain()

    lines = [line for line in sink.lines(OUT) if line]
    assert len(lines) == 2
    assert "alpha" in lines[0]
    assert "beta" in lines[1]
    assert all("100%" in line for line in lines)


def test_stopping_twice_is_harmless(sink: Any) -> None:
    """The second stop does nothing, also to a capture that began later."""
    first = Console(sink, "a", ["stdout"], capture_fd=False, hurry=lambda: None)
    first.start()
    first.stop()
    with captured(sink):
        first.stop()
        print("x")

    assert sink.lines(OUT) == ["x"]
