"""From what was written to lines."""

from __future__ import annotations

import pytest

from goodseed.monitoring.console.screen import MAX_LINE_CHARS, Screen


def shown(*texts: str) -> list[str]:
    """The lines by step after these writes, changed lines being taken after each."""
    screen = Screen(0)
    lines: dict[int, str] = {}
    for text in texts:
        screen.feed(text, 0.0)
        lines.update({line.step: line.text for line in screen.take_changed()})
    return [text for _, text in sorted(lines.items())]


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (["one\ntwo\n"], ["one", "two"]),
        (["no end"], ["no end"]),
        (["a", "b", "\n", "c"], ["ab", "c"]),
        (["\n\nx\n"], ["", "", "x"]),
        (["windows\r\nline\r\n"], ["windows", "line"]),
        (["windows\r", "\nline"], ["windows", "line"]),
        (["\r10%", "\r20%", "\r100%\n", "done\n"], ["100%", "done"]),
        (["wiped\r     \r"], [""]),
        (["long state\rshort     \n"], ["short"]),
        (["kept spaces   \n"], ["kept spaces   "]),
        (["spin |", "\b/", "\b-", "\n"], ["spin -"]),
        (["\x1b[31mred\x1b[0m\n"], ["\x1b[31mred\x1b[0m"]),
        (["\x1b[3", "1mred\n"], ["\x1b[31mred"]),
        (["\x1b[?25lhidden cursor\x1b[?25h\n"], ["hidden cursor"]),
        (["\x1b]0;title\x07text\n"], ["text"]),
        (["half", "\r\x1b[2K", "whole\n"], ["whole"]),
    ],
)
def test_lines_are_what_a_terminal_leaves(written: list[str], lines: list[str]) -> None:
    """Carriage returns, backspaces and erasing act on the line, colours stay, other sequences leave no trace."""
    assert shown(*written) == lines


def test_bars_drawn_one_above_the_other_leave_their_last_states() -> None:
    """Cursor-up leads back to an earlier line, which keeps its step."""
    draws = [f"\router {i}\n\rinner {i}\x1b[A" for i in range(50)]

    assert shown(*draws, "\n\n", "end\n") == ["outer 49", "inner 49", "end"]


def test_a_live_table_is_redrawn_in_place() -> None:
    """The way in which rich redraws several lines leaves as many lines as the table has."""
    redraw = "\r\x1b[2K\x1b[1A\x1b[2K"

    assert shown("a 0\nb 0", *[f"{redraw}a {i}\nb {i}" for i in range(1, 30)], "\n") == ["a 29", "b 29"]


def test_an_unfinished_line_keeps_its_step() -> None:
    """A line that is taken before it ends is replaced by its later states, and the next line has the next step."""
    screen = Screen(7)
    screen.feed("a", 1.0)
    first = screen.take_changed()
    screen.feed("b\nc\n", 2.0)

    assert first == [(7, "a", 1.0)]
    assert screen.take_changed() == [(7, "ab", 2.0), (8, "c", 2.0)]


def test_a_line_without_end_is_cut() -> None:
    """A line longer than the bound goes on in the next one, and no character is lost."""
    text = "x" * (2 * MAX_LINE_CHARS + 10)

    lines = shown(text[:1000], text[1000:], "\n")

    assert [len(line) for line in lines] == [MAX_LINE_CHARS, MAX_LINE_CHARS, 10]


def test_many_lines_are_all_there() -> None:
    """Lines that scroll out of reach between two takings are kept."""
    lines = [str(number) for number in range(5000)]

    assert shown("\n".join(lines) + "\n") == lines


def test_a_note_stands_on_a_line_of_its_own() -> None:
    """Our own remark never joins the script's line."""
    screen = Screen(0)
    screen.feed("partial", 0.0)
    screen.note("[note]", 0.0)

    assert [line.text for line in screen.take_changed()] == ["partial", "[note]"]
